// Package source reads manifests as their authors wrote them, and finds the position of a field in a file.
//
// [Read] splits files, folders and standard input into [Document]s, one per object. [Document.PositionOf] returns the position of a
// field, such as spec.templates[1].container.env[0].
package source
