package explain

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzExplain holds what must be so of any text: it is read to the end, reading twice changes nothing, and nothing that
// could steer a terminal comes out.
func FuzzExplain(f *testing.F) {
	c := load(f)
	for failure := range c.all {
		f.Add(failure.Example)
	}
	for _, text := range []string{`\\\\\"\\n`, `\u005cu005cn`, `&amp;amp;quot;`, "\x1b]0;title\x07\x1b[31m\xff\u202e", `\ud83d\ude00`, "a\n\nb\r\n", `\` + "\n" + `n`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := read(text)
		if len(p.text) != len(p.shown) || len(p.text) != len(p.gaps) {
			t.Fatalf("%d, %d, %d", len(p.text), len(p.shown), len(p.gaps))
		}
		if again := read(p.shown); again.shown != p.shown || again.text != p.text {
			t.Errorf("reading %q again makes %q", p.shown, again.shown)
		}
		if again := read(p.text); again.text != p.text {
			t.Errorf("reading %q again makes %q", p.text, again.text)
		}
		for _, e := range c.Explain(text) {
			for _, r := range e.Text(80) {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%q is printed of %q", r, text)
				}
			}
		}
	})
}

// TestLargeTextsAreReadInTime takes texts that patterns have most work with, of the size that the command line lets in.
func TestLargeTextsAreReadInTime(t *testing.T) {
	c := load(t)
	for _, piece := range []string{
		`\\`, `&amp;`, "amp;", "workflow-secret-missing: ", `secret "`, "maximum a", "\n", `\u005c`, "kubectl -n a", "Unable to retrieve pull secret '",
		"pods '", "User 'a' is not authorized with reason",
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
