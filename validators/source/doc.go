// Package source reads manifests as their authors wrote them, and knows where in a file a field stands.
//
// [Read] takes files, folders and standard input apart into [Document]s, one for each object. [Document.Find] leads from the field of a
// finding, such as spec.templates[1].container.env[0], to its line.
package source
