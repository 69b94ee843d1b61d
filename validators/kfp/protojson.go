package kfp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// message is a protobuf message decoded from JSON. As in protobuf, a field that is not set reads as the zero value. So does a
// field of another type than the one asked for.
type message map[string]any

// parseMessage parses a message. It returns nil if text is not one.
func parseMessage(text string) message {
	m := message{}
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	if m == nil {
		return message{} // null
	}
	return m
}

// get returns a field by its camelCase name or, failing that, its snake_case name. It returns nil if the field is missing or null.
func (m message) get(name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	return m[snakeCase(name)]
}

func snakeCase(name string) string {
	var out strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			out.WriteByte('_')
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return out.String()
}

// string returns a string field.
func (m message) string(name string) string {
	s, _ := m.get(name).(string)
	return s
}

// optionalBool returns an optional bool field, nil if it is not set.
func (m message) optionalBool(name string) *bool {
	b, ok := m.get(name).(bool)
	if !ok {
		return nil
	}
	return &b
}

// number returns a numeric field.
func (m message) number(name string) float64 {
	switch v := m.get(name).(type) {
	case float64:
		return v
	case string: // protobuf encodes 64-bit numbers as strings
		n, _ := strconv.ParseFloat(v, 64)
		return n
	}
	return 0
}

// message returns a message or map field.
func (m message) message(name string) message {
	inner, _ := m.get(name).(map[string]any)
	return inner
}

// messages returns a repeated message field.
func (m message) messages(name string) []message {
	list, _ := m.get(name).([]any)
	var out []message
	for _, v := range list {
		if inner, ok := v.(map[string]any); ok {
			out = append(out, inner)
		}
	}
	return out
}

// strings returns a repeated string field.
func (m message) strings(name string) []string {
	list, _ := m.get(name).([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// keys returns the sorted keys of a map field.
func (m message) keys() []string { return slices.Sorted(maps.Keys(m)) }

// toText returns a parameter's value as a string, as KFP does: strings as they are, other values as JSON.
func toText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding the parameter value %v: %w", v, err)
	}
	return string(raw), nil
}
