package explain

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Text renders the explanation for a terminal that is width columns wide. Commands are not wrapped,
// so that users can copy them.
func (e Explanation) Text(width int) string {
	var out strings.Builder
	out.WriteString(wrap(e.Title+" ("+e.ID+")", "", width))
	if len(e.Found) > 0 {
		out.WriteString("\n  Found in the text\n")
		for _, v := range e.Found {
			out.WriteString(wrap(v.Label+": "+strings.Join(v.Values, ", "), "    ", width))
		}
	}
	out.WriteString("\n  What it means\n")
	for paragraph := range strings.SplitSeq(e.Meaning, "\n") {
		out.WriteString(wrap(paragraph, "    ", width))
	}
	out.WriteString("\n  How to check\n" + Steps(e.Check, width) + "\n  How to fix it\n" + Steps(e.Fix, width))
	switch {
	case slices.Contains(e.Rules, e.ID):
		out.WriteString("\n" + wrap("More about this rule: docs/rules/"+e.ID+".md", "  ", width))
	case len(e.Rules) > 0:
		out.WriteString("\n" + wrap("Rules that find this at admission, before anything runs: "+strings.Join(e.Rules, ", "), "  ", width))
	}
	return out.String()
}

// Steps renders a list of steps for a terminal that is width columns wide.
func Steps(steps []Step, width int) string {
	var out strings.Builder
	for _, s := range steps {
		out.WriteString("    - " + strings.TrimLeft(wrap(s.Say, "      ", width), " "))
		if s.Run != "" {
			for line := range strings.SplitSeq(s.Run, "\n") {
				fmt.Fprintf(&out, "        %s\n", line)
			}
		}
	}
	return out.String()
}

// wrap breaks a text into lines of at most width characters, indent included. A longer word is not broken.
func wrap(text, indent string, width int) string {
	var out strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			out.WriteString(indent)
			column = len(indent)
		case column+1+length > width:
			out.WriteString("\n" + indent)
			column = len(indent)
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += length
	}
	out.WriteByte('\n')
	return out.String()
}
