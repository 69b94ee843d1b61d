package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/transcript"
)

// TestRollout does what docs/rollout.md tells a newcomer to do, and sees what it says he sees.
func TestRollout(t *testing.T) {
	s := newTestCluster(t)
	s.addNode()
	page, err := os.ReadFile(filepath.Join(repoRoot, "docs", "rollout.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := transcript.Parse(string(page))
	if len(steps) < 15 {
		t.Fatalf("only %d steps were found", len(steps))
	}
	for _, step := range steps {
		if step.File != "" {
			s.writeFile(step.File, step.Text)
			continue
		}
		s.runStep(step)
	}
	s.checkNode()
}

// runStep runs a command until it prints what it is said to: labels and configurations take a moment to be known everywhere. What makes or
// deletes something can't be run twice.
func (s *testCluster) runStep(step transcript.Step) {
	s.t.Helper()
	once := strings.Contains(step.Command, " delete ") || strings.Contains(step.Command, " create ")
	var first string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		out, _ := s.shell(step.Command)
		if first == "" {
			first = out
		}
		if step.Matches(out) {
			return
		}
		if once || time.Now().After(deadline) {
			s.t.Fatalf("$ %s\n%s\nand at last\n%s\nand the page has\n%s\n%v", step.Command, first, out, step.Output, s.node.Err())
		}
	}
}
