package forecast

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// values are the template tags that are known at admission, by name: "workflow.name", "inputs.parameters.x", "item".
type values map[string]string

// HasTag reports whether s still holds a template tag, so that its final text exists only at run time.
func HasTag(s string) bool { return strings.Contains(s, "{{") }

// resolve returns v with every known tag replaced by its value; tags that are not known stay. Like Argo it works on the
// JSON text, so that a tag may stand in any field.
// Source: argoproj/argo-workflows v3.7.3 util/template/simple_template.go.
func resolve[T any](b *budget, v T, known values) (T, error) {
	if b.left == 0 {
		return v, errSpent
	}
	raw, err := json.Marshal(v)
	if err == nil {
		err = b.take(len(raw))
	}
	if err != nil {
		return v, err
	}
	text := string(raw)
	if !HasTag(text) {
		return v, nil
	}
	replaced, ok := replaceTags(text, func(value string) string {
		quoted := strconv.Quote(value)
		return quoted[1 : len(quoted)-1]
	}, known)
	if !ok {
		return v, fmt.Errorf("it grows to more than %d MiB", maxBytes>>20)
	}
	if replaced == text {
		return v, nil
	}
	if err := b.take(len(replaced)); err != nil {
		return v, err
	}
	var out T
	if err := json.Unmarshal([]byte(replaced), &out); err != nil {
		return v, err
	}
	return out, nil
}

// resolveText is resolve for a text that is not JSON. A text that would grow too long stays as it is.
func resolveText(b *budget, text string, known values) string {
	if b.take(len(text)) != nil {
		return text
	}
	if replaced, ok := replaceTags(text, func(value string) string { return value }, known); ok {
		return replaced
	}
	return text
}

// replaceTags replaces the innermost tags whose names are known, in one pass: what is put in is not looked at again. ok is
// false if the text would grow beyond maxBytes: values that name each other can double it at every step.
func replaceTags(text string, escape func(string) string, known values) (replaced string, ok bool) {
	var out strings.Builder
	rest := text
	for out.Len() <= maxBytes {
		end := strings.Index(rest, "}}")
		if end < 0 {
			out.WriteString(rest)
			return out.String(), true
		}
		start := strings.LastIndex(rest[:end], "{{")
		if start >= 0 {
			if value, ok := known[strings.TrimSpace(rest[start+2:end])]; ok {
				out.WriteString(rest[:start])
				out.WriteString(escape(value))
				rest = rest[end+2:]
				continue
			}
		}
		out.WriteString(rest[:end+2])
		rest = rest[end+2:]
	}
	return "", false
}
