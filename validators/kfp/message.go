package kfp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// message is a protobuf message in its JSON form. Whatever is not there, or not of the type that is asked for, reads as
// the zero value, as in protobuf.
type message map[string]any

// parse reads a message; nil if text is not one.
func parse(text string) message {
	m := message{}
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	if m == nil {
		return message{} // null
	}
	return m
}

// get returns a field by its camelCase name, or else by its snake_case name; nil if it is not there or null.
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

func (m message) text(name string) string {
	s, _ := m.get(name).(string)
	return s
}

// flag is an optional bool; nil if it is not set.
func (m message) flag(name string) *bool {
	b, ok := m.get(name).(bool)
	if !ok {
		return nil
	}
	return &b
}

func (m message) number(name string) float64 {
	switch v := m.get(name).(type) {
	case float64:
		return v
	case string: // 64-bit numbers are text in JSON
		n, _ := strconv.ParseFloat(v, 64)
		return n
	}
	return 0
}

func (m message) message(name string) message {
	inner, _ := m.get(name).(map[string]any)
	return inner
}

// messages is a repeated field of messages.
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

func (m message) texts(name string) []string {
	list, _ := m.get(name).([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// keys are the keys of a message that is a map, in order.
func (m message) keys() []string { return slices.Sorted(maps.Keys(m)) }

// textOf is a parameter's value as KFP puts it into a text.
func textOf(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("value %v has no text: %w", v, err)
	}
	return string(raw), nil
}
