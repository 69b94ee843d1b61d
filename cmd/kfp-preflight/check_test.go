package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	deniedFile = "../../testdata/workflow/workflow-secret-missing/deny-template-ref.yaml"
	warnedFile = "../../testdata/workflow/workflow-secret-missing/warn-behind-when.yaml"
)

// code is the exit code that an error of the program leads to.
func code(err error) int {
	var e exitCode
	switch {
	case errors.As(err, &e):
		return int(e)
	case err != nil:
		return 2
	}
	return 0
}

func TestCheckExitCodes(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("a: b: c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want int
		says string // in what is printed, or in the error
	}{
		"nothing is known of a cluster": {[]string{"-f", deniedFile}, 0, "nothing is known of the cluster"},
		"denied":                        {[]string{"-f", deniedFile, "--state", t.TempDir()}, 1, "would be denied"},
		"denied, for programs":          {[]string{"-f", deniedFile, "--state", t.TempDir(), "-o", "json"}, 1, `"denied": true`},
		"denied, in code scanning":      {[]string{"-f", deniedFile, "--state", t.TempDir(), "-o", "sarif"}, 1, `"level": "error"`},
		"denied, in a pull request":     {[]string{"-f", deniedFile, "--state", t.TempDir(), "-o", "github"}, 1, "::error file="},
		"warned":                        {[]string{"-f", warnedFile, "--state", t.TempDir()}, 0, "1 has warnings"},
		"a file that can't be read":     {[]string{"-f", deniedFile, "-f", broken, "--state", t.TempDir()}, 2, "this is no YAML"},
		"no such file":                  {[]string{"-f", "nowhere.yaml"}, 2, "no such file"},
		"nothing to judge":              {[]string{"-f", t.TempDir()}, 2, "there is nothing to judge"},
		"another format":                {[]string{"-f", deniedFile, "-o", "x"}, 2, `-o is one of text, json, sarif, github, not "x"`},
		"two clusters":                  {[]string{"-f", deniedFile, "--state", ".", "--context", "x"}, 2, "not both"},
		"no such cluster":               {[]string{"-f", deniedFile, "--kubeconfig", "nowhere"}, 2, "how to reach the cluster is not known"},
		"no file":                       {nil, 2, `required flag(s) "file" not set`},
	} {
		t.Run(name, func(t *testing.T) {
			out, trouble, err := run(t, "", append([]string{"check"}, test.args...)...)
			if got := code(err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
			said := out + trouble
			if err != nil {
				said += err.Error()
			}
			if !strings.Contains(said, test.says) {
				t.Errorf("no %q in\n%s", test.says, said)
			}
		})
	}
}

// examples is the folder with the Workflows that Argo ships as examples.
func examples(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-workflows/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "examples")
}

// TestCheckExamples judges what Argo ships: nothing is wrong with it, as far as can be said without a cluster.
func TestCheckExamples(t *testing.T) {
	out, trouble, err := run(t, "", "check", "-f", examples(t))
	if err != nil || trouble != "" || strings.Contains(out, "warning:") {
		t.Errorf("%v\n%s\n%s", err, trouble, out)
	}
	if !strings.Contains(out, " objects judged: 0 would be denied, 0 have warnings\n") {
		t.Errorf("%s", out)
	}
}

// BenchmarkCheck judges the more than two hundred files that Argo ships.
func BenchmarkCheck(b *testing.B) {
	dir := examples(b)
	for b.Loop() {
		root := newRoot()
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		root.SetArgs([]string{"check", "-f", dir})
		if err := root.ExecuteContext(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestVersion(t *testing.T) {
	out, trouble, err := run(t, "", "version")
	if err != nil || trouble != "" || !strings.HasPrefix(out, "kfp-preflight ") || !strings.Contains(out, "(go1.") {
		t.Errorf("%v %q %q", err, out, trouble)
	}
}

// TestHelpTeaches looks for an example with every command.
func TestHelpTeaches(t *testing.T) {
	for _, cmd := range newRoot().Commands() {
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s has no example", cmd.Name())
		}
	}
}
