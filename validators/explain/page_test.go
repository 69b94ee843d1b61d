package explain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md")

// TestPage compares docs/errors.md with the catalogue.
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
		t.Errorf("%s does not match the catalogue; run make cases", file)
	}
	for _, c := range got {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Errorf("the catalogue contains %q, which is not ASCII", c)
		}
	}
}

// page renders docs/errors.md.
func page(c *Catalogue) string {
	var out strings.Builder
	out.WriteString(`# Known errors

Each error on this page has an example, an explanation, and steps to check and to fix it. The names in the examples will differ
from yours. Pass your error to ` + "`kfp-preflight explain`" + `, which finds the entry for it and fills your names into the commands.

This page is generated from [catalogue.yaml](../validators/explain/catalogue.yaml) by ` + "`make cases`" + `. The denials and warnings of
kfp-preflight itself are described with [its rules](rules).

| error | what happened |
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
				lead = "\nRules that find this at admission: "
			}
			fmt.Fprintf(&out, "%s[%s](rules/%s.md)", lead, rule, rule)
		}
		if len(f.Rules) > 0 {
			out.WriteString(".\n")
		}
	}
	return out.String()
}

// list renders steps in Markdown.
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
