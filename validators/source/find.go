package source

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// text is a file by its lines.
type text struct{ lines []string }

// Position is a place in a file. Lines and columns, which are counted in characters, begin with 1.
type Position struct {
	File         string
	Line, Column int
	// Text is the whole line.
	Text string
}

// PositionOf returns where a field is written, or what is written of the way to it. A value is found where it begins, a group of fields at its
// name.
func (d Document) PositionOf(field string) Position {
	at := Position{File: d.File, Line: d.first + 1, Column: 1}
	var root yaml.Node
	if yaml.Unmarshal(d.yaml, &root) == nil && len(root.Content) > 0 {
		node, name := root.Content[0], root.Content[0]
		for _, step := range steps(d.within + "." + field) {
			next, nextName := child(node, step)
			if next == nil {
				break
			}
			node, name = next, nextName
		}
		if node.Kind == yaml.ScalarNode {
			name = node
		}
		at.Line, at.Column = d.first+name.Line, name.Column
	}
	if at.Line <= len(d.text.lines) {
		at.Text = strings.TrimSuffix(d.text.lines[at.Line-1], "\r")
	}
	return at
}

// steps takes the path of a field apart: a[1].b[c.d] is a, 1, b, c.d.
func steps(field string) []string {
	var out []string
	for field != "" {
		var step string
		if inner, ok := strings.CutPrefix(field, "["); ok {
			step, field, _ = strings.Cut(inner, "]")
		} else {
			end := strings.IndexAny(field, ".[")
			if end < 0 {
				end = len(field)
			}
			step, field = field[:end], field[end:]
		}
		field = strings.TrimPrefix(field, ".")
		if step != "" {
			out = append(out, step)
		}
	}
	return out
}

// child is the value of a field or of an item, and what it is found by; nil if there is none.
func child(node *yaml.Node, step string) (value, name *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1], node.Content[i]
			}
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Tag == "!!merge" {
				if value, name := child(node.Content[i+1], step); value != nil {
					return value, name
				}
			}
		}
	}
	return nil, nil
}
