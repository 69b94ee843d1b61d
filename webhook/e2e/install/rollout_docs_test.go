package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/transcript"
)

// TestRollout runs the commands in docs/rollout.md, and compares their output with the page.
func TestRollout(t *testing.T) {
	tc := newTestCluster(t)
	tc.addNode()
	page, err := os.ReadFile(filepath.Join(repoRoot, "docs", "rollout.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := transcript.Parse(string(page))
	if len(steps) < 15 {
		t.Fatalf("found only %d steps", len(steps))
	}
	for _, step := range steps {
		if step.File != "" {
			tc.writeFile(step.File, step.Text)
			continue
		}
		tc.runStep(step)
	}
	tc.checkNode()
}

// runStep runs a command until its output is as expected, because labels and configurations take effect with a delay. It runs
// commands that create or delete something only once.
func (tc *testCluster) runStep(step transcript.Step) {
	tc.t.Helper()
	once := strings.Contains(step.Command, " delete ") || strings.Contains(step.Command, " create ")
	var first string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		out, _ := tc.shell(step.Command)
		if first == "" {
			first = out
		}
		if step.Matches(out) {
			return
		}
		if once || time.Now().After(deadline) {
			tc.t.Fatalf("$ %s\nfirst printed\n%s\nfinally\n%s\nbut the page shows\n%s\n%v", step.Command, first, out, step.Output, tc.node.Err())
		}
	}
}
