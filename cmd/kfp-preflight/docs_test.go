package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/hack/transcript"
)

// TestDocs runs the commands of the program in the documentation, with a shell at the top of the repository, and compares their output
// with the documentation.
func TestDocs(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "kfp-preflight"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, page := range append(pages, "../../README.md") {
		if filepath.Base(page) == "rollout.md" {
			continue // webhook/e2e/install runs its commands, with a cluster
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range transcript.Parse(string(text)) {
			if !strings.HasPrefix(step.Command, "kfp-preflight ") {
				continue
			}
			shown++
			t.Run(filepath.Base(page)+"/"+step.Command, func(t *testing.T) {
				cmd := exec.Command("bash", "-c", step.Command)
				cmd.Dir, cmd.Env = "../..", append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
				out, err := cmd.Output()
				var exit *exec.ExitError
				if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
					t.Fatalf("%v\n%s", err, out)
				}
				if !step.Matches(string(out)) {
					t.Fatalf("the command prints\n%s\nbut the page shows\n%s", out, step.Output)
				}
			})
		}
	}
	if shown < 10 {
		t.Errorf("found only %d commands", shown)
	}
}
