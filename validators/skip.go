package validators

import (
	"slices"
	"strings"
)

// SkipAnnotation on an object lists the IDs of rules, separated by commas, that do not apply to it.
const SkipAnnotation = "kfp-preflight.dev/skip"

// SkipHint tells the user how to skip rules for an object.
func SkipHint(rules []string) string {
	return "To skip: annotation " + SkipAnnotation + ": " + strings.Join(rules, ",")
}

// Skipped parses the SkipAnnotation of an object. It returns the rules that do not apply to the object, and names that are not rules.
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
