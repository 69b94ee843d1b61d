// Package report tells people and programs what became of objects that were judged: as text that shows the lines, as JSON, as SARIF
// 2.1.0 for code scanning, or as annotations of GitHub Actions.
package report
