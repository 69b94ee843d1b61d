package explain

import (
	"regexp"
	"slices"
	"strings"
)

// An answer of kfp-preflight contains one finding or several, of one rule or several:
//
//	RULE-ID: Fix. Problem. Outcome. | RULE-ID: Fix. Problem. Outcome. To skip: annotation kfp-preflight.dev/skip: RULE-ID,RULE-ID
//
// The skip hint ends the answer and lists all of its rules. An answer of an older version repeats
// the hint after each finding:
//
//	RULE-ID: problem; outcome; to fix, ...; to skip this rule: annotation kfp-preflight.dev/skip: RULE-ID
//
// Both begin with the ID of a rule and end with a hint that lists it. Audit annotations and the
// reports of the command line have no hint, and a pasted text may be cut off before it.

// setUpRules makes the entries of rules recognize their denials, and adds the step that skips them.
func (c *Catalogue) setUpRules() {
	var ids []string
	for _, rule := range c.Rules {
		ids = append(ids, regexp.QuoteMeta(rule.ID))
	}
	// The longest first, because one ID may begin with another.
	slices.SortFunc(ids, func(a, b string) int { return len(b) - len(a) })
	anyRule := "(?:" + strings.Join(ids, "|") + ")"
	for i := range c.Rules {
		rule := &c.Rules[i]
		id := regexp.QuoteMeta(rule.ID)
		rule.Texts, rule.Rules = id+":", []string{rule.ID}
		rule.skipHint = regexp.MustCompile(`kfp-preflight\.dev/skip:(?:` + anyRule + `,)*?` + id + `(?:,` + anyRule + `)*`)
		rule.Fix = append(rule.Fix, Step{c.Skip.Say, strings.ReplaceAll(c.Skip.Run, "RULE", rule.ID)})
	}
}

// maxDenial bounds how many characters of normalized text after the ID of a rule can belong to its denial.
const maxDenial = 2000

// endOfDenial returns where the answer ends that contains the denial of a rule whose ID ends at
// offset from. If there is no skip hint, it returns how far the denial can reach, and truncated is true.
func (f *Failure) endOfDenial(text string, from int) (end int, truncated bool) {
	rest := text[from:min(len(text), from+maxDenial)]
	if at := f.skipHint.FindStringIndex(rest); at != nil {
		return from + at[1], false
	}
	return from + len(rest), true
}
