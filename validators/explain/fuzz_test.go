package explain

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzExplain checks the properties of normalize and Explain for any text. Normalizing is idempotent, and the explanation contains
// nothing that could control a terminal.
func FuzzExplain(f *testing.F) {
	c := load(f)
	for failure := range c.all {
		f.Add(failure.Example)
	}
	for _, text := range []string{
		`\\\\\"\\n`, `\u005cu005cn`, `&amp;amp;quot;`, "\x1b]0;title\x07\x1b[31m\xff\u202e", `\ud83d\ude00`, "a\n\nb\r\n", `\` + "\n" + `n`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := normalize(text)
		if len(p.compact) != len(p.original) || len(p.compact) != len(p.whitespace) {
			t.Fatalf("%d, %d, %d", len(p.compact), len(p.original), len(p.whitespace))
		}
		if again := normalize(p.original); again.original != p.original || again.compact != p.compact {
			t.Errorf("normalizing %q again returns %q", p.original, again.original)
		}
		if again := normalize(p.compact); again.compact != p.compact {
			t.Errorf("normalizing %q again returns %q", p.compact, again.compact)
		}
		for _, e := range c.Explain(text) {
			for _, r := range e.Text(80) {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%q is printed for %q", r, text)
				}
			}
		}
	})
}

// TestLargeTextsAreExplainedInTime explains the texts that cost the patterns most, as large as the command line accepts them.
func TestLargeTextsAreExplainedInTime(t *testing.T) {
	c := load(t)
	for _, piece := range []string{
		`\\`, `&amp;`, "amp;", "workflow-secret-missing: ", `secret "`, "maximum a", "\n", `\u005c`, "kubectl -n a",
		"Unable to retrieve pull secret '", "pods '", "User 'a' is not authorized with reason",
		"kfp-preflight.dev/skip: workflow-secret-missing,", "workflow-secret-missing: kfp-preflight.dev/skip: workflow-quota-compute,",
	} {
		start := time.Now()
		c.Explain(strings.Repeat(piece, 1<<20/len(piece)))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%q takes %v", piece, took)
		} else {
			t.Logf("%q takes %v", piece, took)
		}
	}
}
