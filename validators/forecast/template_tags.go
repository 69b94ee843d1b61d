package forecast

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kfp-preflight/kfp-preflight/validators/texts"
)

// tagValues are the values of template tags that are known at admission, by tag: "workflow.name",
// "inputs.parameters.x", or "item".
type tagValues map[string]string

// lookup returns the value of a tag, given the text between its braces.
func (v tagValues) lookup(tag string) (value string, ok bool) {
	value, ok = v[strings.TrimSpace(tag)]
	return value, ok
}

// HasTag reports whether s contains a template tag, so that its final text is known only at run
// time.
func HasTag(s string) bool { return strings.Contains(s, "{{") }

// resolveTags replaces the tags in v that have a value, with one set of values after the other.
// Unknown tags stay. The result is the same as Argo's, which replaces tags in v's JSON, in any
// field. v gets a copy of what it points to; the original is not modified. The error says that the
// budget is spent or that the result is not valid JSON.
// Source: argoproj/argo-workflows v3.7.3 util/template/simple_template.go.
func resolveTags[T any](b *budget, v *T, known ...tagValues) error {
	if b.left == 0 {
		return errBudgetSpent
	}
	return texts.Replace(v, tagReplacer{b, known})
}

// tagReplacer implements texts.Replacer. It charges its work to a budget.
type tagReplacer struct {
	budget    *budget
	valueSets []tagValues
}

// Charge implements texts.Replacer.
func (r tagReplacer) Charge(bytes int) error { return r.budget.spend(bytes) }

// ReplaceJSON implements texts.Replacer.
func (r tagReplacer) ReplaceJSON(text string) (string, error) {
	return r.replace(text, tagValues.jsonQuoted)
}

// ReplaceString implements texts.Replacer.
func (r tagReplacer) ReplaceString(text string) (string, error) {
	return r.replace(text, tagValues.jsonRoundTripped)
}

// replace replaces tags with the values that valueOf returns, with one set of values after the
// other.
func (r tagReplacer) replace(text string, valueOf func(known tagValues, tag string) (string, bool, error)) (string, error) {
	for _, known := range r.valueSets {
		if !HasTag(text) {
			return text, nil
		}
		replaced, err := replaceTags(text, func(tag string) (string, bool, error) { return valueOf(known, tag) })
		if err != nil {
			return "", err
		}
		if replaced != text {
			err = r.budget.spend(len(replaced))
		}
		if text = replaced; err != nil {
			return "", err
		}
	}
	return text, nil
}

// jsonQuoted returns the value of a tag as Argo inserts it into JSON. The result is not always
// valid in JSON.
func (v tagValues) jsonQuoted(tag string) (value string, ok bool, err error) {
	value, ok = v.lookup(tag)
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1], ok, nil
}

// jsonRoundTripped returns the value of a tag after it is inserted into JSON and decoded again. It
// returns an error if the JSON is invalid.
func (v tagValues) jsonRoundTripped(tag string) (value string, ok bool, err error) {
	value, ok = v.lookup(tag)
	if !ok || strings.ContainsFunc(tag, escapedInJSON) {
		return "", false, nil
	}
	if survivesJSON(value) {
		return value, true, nil
	}
	var out string
	err = json.Unmarshal([]byte(strconv.Quote(value)), &out)
	return out, true, err
}

// survivesJSON reports whether a text certainly decodes to itself, as nearly all texts do.
func survivesJSON(text string) bool {
	for i := range len(text) {
		if c := text[i]; c > 0x7e || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// escapedInJSON reports whether JSON escapes a character. Argo does not find tags with such a
// character.
func escapedInJSON(r rune) bool {
	return r < ' ' || strings.ContainsRune("\"\\<>&\u2028\u2029", r) || r == utf8.RuneError
}

// resolveTagsInText is like resolveTags for a plain text outside of JSON. A text that would grow
// too long stays as it is.
func resolveTagsInText(b *budget, text string, known tagValues) string {
	if b.spend(len(text)) != nil || !HasTag(text) {
		return text
	}
	replaced, err := replaceTags(text, func(tag string) (string, bool, error) {
		value, ok := known.lookup(tag)
		return value, ok, nil
	})
	if err != nil {
		return text
	}
	return replaced
}

// replaceTags replaces the innermost tags that have a value, in one pass: it does not look for tags
// in inserted values. It returns an error if the text grows beyond maxBytes, because values that
// contain each other could double it with every pass.
func replaceTags(text string, valueOf func(tag string) (string, bool, error)) (string, error) {
	var out strings.Builder
	copied := 0 // length of the text that is already in out
	for pos := 0; out.Len()+pos-copied <= maxBytes; {
		end := strings.Index(text[pos:], "}}")
		if end < 0 {
			if copied == 0 {
				return text, nil
			}
			out.WriteString(text[copied:])
			return out.String(), nil
		}
		end += pos
		if start := strings.LastIndex(text[pos:end], "{{"); start >= 0 {
			start += pos
			value, ok, err := valueOf(text[start+2 : end])
			if err != nil {
				return "", err
			}
			if ok {
				out.WriteString(text[copied:start])
				out.WriteString(value)
				copied = end + 2
			}
		}
		pos = end + 2
	}
	return "", fmt.Errorf("it grows to more than %d MiB", maxBytes>>20)
}
