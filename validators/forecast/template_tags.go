package forecast

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kfp-preflight/kfp-preflight/validators/texts"
)

// tagValues are the template tags that are known at admission, by name: "workflow.name", "inputs.parameters.x", "item".
type tagValues map[string]string

// lookup is the value of what stands between the braces of a tag.
func (v tagValues) lookup(tag string) (value string, ok bool) {
	value, ok = v[strings.TrimSpace(tag)]
	return value, ok
}

// HasTag reports whether s still holds a template tag, so that its final text exists only at run time.
func HasTag(s string) bool { return strings.Contains(s, "{{") }

// resolveTags replaces every tag in v that has a value, by one set of values after the other; tags that are not known stay. What comes out is
// what Argo gets, which replaces tags in v's JSON, where they may stand in any field. What v points to is not changed: v gets a copy.
// Source: argoproj/argo-workflows v3.7.3 util/template/simple_template.go.
func resolveTags[T any](b *budget, v *T, known ...tagValues) error {
	if b.left == 0 {
		return errBudgetSpent
	}
	return texts.Replace(v, tagReplacer{b, known})
}

// tagReplacer replaces tags, and pays for it.
type tagReplacer struct {
	budget    *budget
	valueSets []tagValues
}

// Pay implements texts.Replacer.
func (f tagReplacer) Pay(bytes int) error { return f.budget.spend(bytes) }

// JSON implements texts.Replacer.
func (f tagReplacer) JSON(text string) (string, error) { return f.replace(text, tagValues.jsonQuoted) }

// Text implements texts.Replacer.
func (f tagReplacer) Text(text string) (string, error) {
	return f.replace(text, tagValues.jsonRoundTripped)
}

func (f tagReplacer) replace(text string, valueOf func(known tagValues, tag string) (string, bool, error)) (string, error) {
	for _, known := range f.valueSets {
		if !HasTag(text) {
			return text, nil
		}
		replaced, err := replaceTags(text, func(tag string) (string, bool, error) { return valueOf(known, tag) })
		if err != nil {
			return "", err
		}
		if replaced != text {
			err = f.budget.spend(len(replaced))
		}
		if text = replaced; err != nil {
			return "", err
		}
	}
	return text, nil
}

// jsonQuoted is the value of a tag as it is put into JSON. Not every such text is JSON.
func (v tagValues) jsonQuoted(tag string) (value string, ok bool, err error) {
	value, ok = v.lookup(tag)
	quoted := strconv.Quote(value)
	return quoted[1 : len(quoted)-1], ok, nil
}

// jsonRoundTripped is the value of a tag in a text as it comes out of JSON again. The error says that it does not.
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

// survivesJSON reports whether a text surely comes out of JSON as it is, as nearly all do.
func survivesJSON(text string) bool {
	for i := range len(text) {
		if c := text[i]; c > 0x7e || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// escapedInJSON reports whether a character is another one in JSON, so that no tag with it is known there.
func escapedInJSON(r rune) bool {
	return r < ' ' || strings.ContainsRune("\"\\<>&\u2028\u2029", r) || r == utf8.RuneError
}

// resolveTagsInText is resolve for a text that is not JSON. A text that would grow too long stays as it is.
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

// replaceTags replaces the innermost tags that have a value, in one pass: what is put in is not looked at again. It is an error if the
// text grows beyond maxBytes: values that name each other can double it at every step.
func replaceTags(text string, valueOf func(tag string) (string, bool, error)) (string, error) {
	var out strings.Builder
	copied := 0 // how much of the text is in out
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
