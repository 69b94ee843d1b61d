package source

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position is a position in a file. Lines and columns start at 1. Columns count characters.
type Position struct {
	File         string
	Line, Column int
	// Text is the whole line.
	Text string
}

// PositionOf returns the position of a field: of its value if that is a scalar, otherwise of its name. If the document does not contain
// the field, it returns the position of the closest parent.
func (d Document) PositionOf(field string) Position {
	position := Position{File: d.File, Line: d.firstLine + 1, Column: 1}
	var root yaml.Node
	if yaml.Unmarshal(d.yamlText, &root) == nil && len(root.Content) > 0 {
		node, name := root.Content[0], root.Content[0]
		for _, step := range splitPath(d.listItem + "." + field) {
			next, nextName := lookup(node, step)
			if next == nil {
				break
			}
			node, name = next, nextName
		}
		if node.Kind == yaml.ScalarNode {
			name = node
		}
		position.Line, position.Column = d.firstLine+name.Line, name.Column
	}
	if position.Line <= len(d.fileLines) {
		position.Text = strings.TrimSuffix(d.fileLines[position.Line-1], "\r")
	}
	return position
}

// splitPath splits the path of a field. The steps of a[1].b[c.d] are a, 1, b and c.d.
func splitPath(field string) []string {
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

// lookup returns the value of a field or an item, and the node at which it begins: the name of the field, or the item itself. It
// follows aliases and merge keys. The results are nil if there is no such field or item.
func lookup(node *yaml.Node, step string) (value, name *yaml.Node) {
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
				if value, name := lookup(node.Content[i+1], step); value != nil {
					return value, name
				}
			}
		}
	}
	return nil, nil
}
