package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs runs the commands that the documentation shows, as a shell would at the top of the repository, and compares what they print.
// A line of dots stands for any number of lines.
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
			continue // needs a cluster: webhook/e2e/install runs it
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "\n```") {
			command, want, ok := strings.Cut(block, "$ kfp-preflight ")
			if i%2 == 0 || !ok || strings.TrimSpace(command) != "" {
				continue
			}
			command, want, _ = strings.Cut(want, "\n")
			shown++
			t.Run(filepath.Base(page)+"/"+command, func(t *testing.T) {
				cmd := exec.Command("bash", "-c", "kfp-preflight "+command)
				cmd.Dir, cmd.Env = "../..", append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
				out, err := cmd.Output()
				var exit *exec.ExitError
				if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
					t.Fatalf("%v\n%s", err, out)
				}
				rest := string(out)
				for part := range strings.SplitSeq(want+"\n", "...\n") {
					_, after, ok := strings.Cut(rest, part)
					if !ok {
						t.Fatalf("it prints\n%s\nwhich lacks\n%s", out, part)
					}
					rest = after
				}
			})
		}
	}
	if shown < 10 {
		t.Errorf("only %d commands were found", shown)
	}
}
