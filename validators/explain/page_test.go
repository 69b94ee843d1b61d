package explain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md")

// TestPage holds docs/errors.md to the catalogue.
func TestPage(t *testing.T) {
	const file = "../../docs/errors.md"
	got := page(load(t))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the catalogue says; make cases writes it", file)
	}
	for _, c := range got {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Errorf("the catalogue has %q", c)
		}
	}
}

func page(c *Catalogue) string {
	var out strings.Builder
	out.WriteString(`# Known errors

What these errors mean, how to check, and how to fix them. ` + "`kfp-preflight explain`" + ` says which of them a text is, however it
was pasted, and fills its names into the commands. The errors that it quotes are examples; names differ.

This page is written from [catalogue.yaml](../validators/explain/catalogue.yaml) by ` + "`make cases`" + `. The denials and warnings of
kfp-preflight itself have [pages of their own](rules).

| | |
|---|---|
`)
	for _, f := range c.Failures {
		fmt.Fprintf(&out, "| [%s](#%s) | %s |\n", f.ID, f.ID, f.Title)
	}
	for _, f := range c.Failures {
		fmt.Fprintf(&out, "\n## %s\n\n%s.\n\n```\n", f.ID, f.Title)
		for line := range strings.Lines(f.Example) {
			out.WriteString(wrap(line, "", 120))
		}
		out.WriteString("```\n\n")
		for paragraph := range strings.SplitSeq(strings.TrimSpace(f.Meaning), "\n") {
			out.WriteString(wrap(paragraph, "", 120) + "\n")
		}
		found, _ := c.Find(f.ID)
		out.WriteString("How to check:\n\n" + list(found.Check) + "\nHow to fix it:\n\n" + list(found.Fix))
		for i, rule := range f.Rules {
			lead := ", "
			if i == 0 {
				lead = "\nAt admission, kfp-preflight finds this by "
			}
			fmt.Fprintf(&out, "%s[%s](rules/%s.md)", lead, rule, rule)
		}
		if len(f.Rules) > 0 {
			out.WriteString(".\n")
		}
	}
	return out.String()
}

// list is steps in Markdown.
func list(steps []Step) string {
	var out strings.Builder
	for _, s := range steps {
		out.WriteString("- " + strings.TrimLeft(wrap(s.Say, "  ", 120), " "))
		if s.Run != "" {
			out.WriteString("  ```\n  " + strings.ReplaceAll(s.Run, "\n", "\n  ") + "\n  ```\n")
		}
	}
	return out.String()
}
