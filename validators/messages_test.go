package validators

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Limits of a message, in characters: where the fix must begin, and how long the message may be. They hold for names of ordinary length,
// as in testdata.
const (
	latestFix  = 200
	maxMessage = 400
)

const (
	tableBegin = "<!-- messages: begin -->\n"
	tableEnd   = "<!-- messages: end -->"
)

// TestMessages checks the length of the messages of all cases and the position of their fix, and that docs/denials.md lists the messages.
func TestMessages(t *testing.T) {
	files, err := filepath.Glob("../testdata/*/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var table strings.Builder
	table.WriteString("| Message | Length | Fix begins at |\n|---|---|---|\n")
	listed := map[string]bool{}
	for _, file := range files {
		for _, f := range judgeCase(t, readCase(t, file)) {
			if f.Certainty == Unknown {
				continue
			}
			message := f.Message()
			fix := strings.Index(message, Plain(f.Fix))
			if f.Fix == "" || fix < 0 || fix >= latestFix {
				t.Errorf("%s: the fix begins at %d: %s", file, fix, message)
			}
			if len(message) > maxMessage {
				t.Errorf("%s: the message has %d characters: %s", file, len(message), message)
			}
			if strings.Contains(message, SkipAnnotation) {
				t.Errorf("%s: the skip hint belongs to the answer, not to a finding: %s", file, message)
			}
			if kind := f.Rule + firstWords(f.Fix, 2); f.Certainty == Certain && !listed[kind] {
				listed[kind] = true
				fmt.Fprintf(&table, "| `%s` | %d | %d |\n", strings.ReplaceAll(message, "|", `\|`), len(message), fix)
			}
		}
	}
	const page = "../docs/denials.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of messages", page)
	}
	want := before + tableBegin + table.String() + tableEnd + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("the table of messages in %s is out of date; make cases writes it", page)
	}
}

func firstWords(text string, n int) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(n, len(words))], " ")
}
