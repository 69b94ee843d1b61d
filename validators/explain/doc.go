// Package explain says which known failure a pasted error is.
//
// What people paste is rarely the error as it was written. It comes inside JSON inside a Python exception, wrapped at the
// width of a terminal in the middle of words, cut off, or with other errors around it. So the text is first read
// (normalize.go): escapes are undone, all quotes become the same, and white space is taken out but remembered. What is
// left is matched (match.go) against the patterns of a catalogue (catalogue.yaml, catalogue.go), which has one entry for
// each known failure. A pattern is written like the error itself:
//
//	couldn't find key <key> in Secret <namespace>/<secret>
//
// The names in it (values.go) are shown, and filled into the commands that an entry suggests; but only if they could be
// names in Kubernetes, because the text may come from anywhere and the commands are meant to be run.
//
// Errors wrap each other. An entry names the failures that it is only a symptom of, and yields to them. What stands within
// another match belongs to it: a denial of kfp-preflight quotes the error that it spared its reader.
//
// A new failure is an entry in catalogue.yaml and a text in testdata/<id>/; docs/errors.md is written from the catalogue.
package explain
