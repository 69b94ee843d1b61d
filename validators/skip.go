package validators

import (
	"slices"
	"strings"
)

// SkipAnnotation on an object names rules, separated by commas, that are not to judge it.
const SkipAnnotation = "kfp-preflight.dev/skip"

// Skipped reads the annotation from an object's annotations: the rules that are not to judge it, and the names in it
// that are no rules.
func Skipped(annotations map[string]string) (rules, unknown []string) {
	known := RuleIDs()
	for _, name := range strings.FieldsFunc(annotations[SkipAnnotation], func(r rune) bool { return r == ',' || r == ' ' }) {
		if slices.Contains(known, name) {
			rules = append(rules, name)
		} else {
			unknown = append(unknown, name)
		}
	}
	return rules, unknown
}
