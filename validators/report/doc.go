// Package report evaluates objects outside of admission and reports the findings: as text that quotes the affected lines, as JSON, as
// SARIF 2.1.0 for code scanning, or as annotations for GitHub Actions.
//
// An [Evaluator] applies the rules to objects from files or from a cluster. The result is a [Report].
package report
