// Package explain recognizes known failures in a pasted error text, and tells how to check and fix them.
//
// A pasted text is rarely the error as it was written. It arrives inside JSON inside a Python
// exception, wrapped at the width of a terminal in the middle of words, cut off, or surrounded by
// other errors. So the text is normalized first (normalize.go): escapes are undone, all quotes
// become single quotes, and white space is removed but remembered. The result is matched (match.go)
// against the patterns of a catalogue (catalogue.yaml, catalogue.go) with one entry per known
// failure. A pattern looks like the error itself:
//
//	couldn't find key <key> in Secret <namespace>/<secret>
//
// The captured values (values.go) are shown, and filled into the commands that an entry suggests.
// The text may come from anywhere and users run these commands, so a value is filled in only if it
// could be the name of a Kubernetes object.
//
// Errors wrap each other. An entry lists the failures that it is a symptom of, and is left out if
// one of them is in the text. A match within a longer match belongs to it. In particular, a denial
// of kfp-preflight (denial.go) quotes the error that it prevented, which is not reported.
//
// To add a failure, add an entry to catalogue.yaml and a text to testdata/<id>/. docs/errors.md is
// generated from the catalogue.
package explain
