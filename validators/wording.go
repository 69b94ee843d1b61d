package validators

import (
	"fmt"
	"strings"
)

// inWords joins names for use in a sentence: "a", "a and b", "a, b and c".
func inWords(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// shortList joins names up to a length in bytes, but at least one, and counts the others: "a, b, +3 more".
func shortList(names []string, length int) string {
	var out strings.Builder
	for i, name := range names {
		name = shorten(name, maxNameLength)
		if i > 0 && out.Len()+len(name) > length {
			return fmt.Sprintf("%s, +%d more", &out, len(names)-i)
		}
		if i > 0 {
			out.WriteString(", ")
		}
		out.WriteString(name)
	}
	return out.String()
}

// Lengths of lists in messages, in bytes. The message of a finding should have at most about 350.
const (
	maxNameLength = 63
	stepsLength   = 60
	keysLength    = 30
)

// plural returns the noun with its names: "step a", "steps a, b".
func plural(noun string, names []string) string {
	if len(names) != 1 {
		noun += "s"
	}
	return noun + " " + shortList(names, stepsLength)
}

// pronoun is "it" for one thing, "them" for several.
func pronoun(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// verb returns the form of a verb for n subjects: "needs", "need".
func verb(n int, singular, plural string) string {
	if n == 1 {
		return singular
	}
	return plural
}

// capitalize makes the first letter upper case. It must be an ASCII letter.
func capitalize(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// shorten keeps the beginning and the end of a text with more than limit characters.
func shorten(text string, limit int) string {
	runes := []rune(strings.TrimSpace(text))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit*2/3]) + "..." + string(runes[len(runes)-limit/3:])
}

// withoutRegex drops the regular expression at the end of a message from Kubernetes' validation.
func withoutRegex(message string) string {
	message, _, _ = strings.Cut(message, " (e.g. ")
	return message
}

// orderedSet is a list of strings without duplicates, in the order in which they were added.
type orderedSet struct {
	list []string
	seen map[string]bool
}

func (s *orderedSet) add(elements ...string) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	for _, e := range elements {
		if !s.seen[e] {
			s.seen[e] = true
			s.list = append(s.list, e)
		}
	}
}
