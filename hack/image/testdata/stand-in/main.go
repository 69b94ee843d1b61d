// Command stand-in takes the place of kfp-preflight in the image for a platform that the tests can't run anyway. It compiles at once.
package main

func main() {}
