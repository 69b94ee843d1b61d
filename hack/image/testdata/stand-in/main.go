// Command stand-in replaces kfp-preflight in test images for a platform that the tests can't run. It compiles fast.
package main

func main() {}
