package forecast

import (
	"encoding/json"
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
func resolve[T any](v T, known values) (T, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return v, err
	}
	text := string(raw)
	if !HasTag(text) {
		return v, nil
	}
	replaced := replaceTags(text, func(value string) string {
		quoted := strconv.Quote(value)
		return quoted[1 : len(quoted)-1]
	}, known)
	if replaced == text {
		return v, nil
	}
	var out T
	if err := json.Unmarshal([]byte(replaced), &out); err != nil {
		return v, err
	}
	return out, nil
}

// resolveText is resolve for a text that is not JSON.
func resolveText(text string, known values) string {
	return replaceTags(text, func(value string) string { return value }, known)
}

// replaceTags replaces the innermost tags whose names are known, in one pass: what is put in is not looked at again.
func replaceTags(text string, escape func(string) string, known values) string {
	var out strings.Builder
	rest := text
	for {
		end := strings.Index(rest, "}}")
		if end < 0 {
			break
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
	out.WriteString(rest)
	return out.String()
}
