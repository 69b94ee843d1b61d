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
	deniedWorkflow = "../../testdata/workflow/workflow-secret-missing/deny-template-ref.yaml"
	warnedWorkflow = "../../testdata/workflow/workflow-secret-missing/warn-behind-when.yaml"
)

// exitCodeOf returns the exit code for an error of a command.
func exitCodeOf(err error) int {
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
	empty := t.TempDir()
	for name, test := range map[string]struct {
		args       []string
		wantCode   int
		wantOutput string // a part of the output or of the error
	}{
		"offline":                {[]string{"-f", deniedWorkflow}, 0, "no cluster was given"},
		"denied":                 {[]string{"-f", deniedWorkflow, "--state", empty}, 1, "would be denied"},
		"denied, as JSON":        {[]string{"-f", deniedWorkflow, "--state", empty, "-o", "json"}, 1, `"denied": true`},
		"denied, as SARIF":       {[]string{"-f", deniedWorkflow, "--state", empty, "-o", "sarif"}, 1, `"level": "error"`},
		"denied, for GitHub":     {[]string{"-f", deniedWorkflow, "--state", empty, "-o", "github"}, 1, "::error file="},
		"warned":                 {[]string{"-f", warnedWorkflow, "--state", empty}, 0, "1 has warnings"},
		"an unreadable file":     {[]string{"-f", deniedWorkflow, "-f", broken, "--state", empty}, 2, "invalid YAML"},
		"no such file":           {[]string{"-f", "nowhere.yaml"}, 2, "no such file"},
		"nothing to evaluate":    {[]string{"-f", empty}, 2, "the files contain nothing to evaluate"},
		"an unknown format":      {[]string{"-f", deniedWorkflow, "-o", "x"}, 2, `-o must be one of text, json, sarif, github, not "x"`},
		"state and cluster":      {[]string{"-f", deniedWorkflow, "--state", ".", "--context", "x"}, 2, "can't be combined"},
		"no such kubeconfig":     {[]string{"-f", deniedWorkflow, "--kubeconfig", "nowhere"}, 2, "the kubeconfig can't be loaded"},
		"the flag -f is missing": {nil, 2, `required flag(s) "file" not set`},
	} {
		t.Run(name, func(t *testing.T) {
			out, stderr, err := run(t, "", append([]string{"check"}, test.args...)...)
			if got := exitCodeOf(err); got != test.wantCode {
				t.Errorf("exit code %d, want %d", got, test.wantCode)
			}
			printed := out + stderr
			if err != nil {
				printed += err.Error()
			}
			if !strings.Contains(printed, test.wantOutput) {
				t.Errorf("no %q in\n%s", test.wantOutput, printed)
			}
		})
	}
}

// argoExamples returns the folder with the example Workflows of Argo.
func argoExamples(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-workflows/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "examples")
}

// TestCheckExamples evaluates the examples of Argo offline. There are no findings.
func TestCheckExamples(t *testing.T) {
	out, stderr, err := run(t, "", "check", "-f", argoExamples(t))
	if err != nil || stderr != "" || strings.Contains(out, "warning:") {
		t.Errorf("%v\n%s\n%s", err, stderr, out)
	}
	if !strings.Contains(out, " objects evaluated: 0 would be denied, 0 have warnings\n") {
		t.Errorf("%s", out)
	}
}

// BenchmarkCheck evaluates the examples of Argo, which are more than two hundred files.
func BenchmarkCheck(b *testing.B) {
	dir := argoExamples(b)
	for b.Loop() {
		root := newRootCommand()
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		root.SetArgs([]string{"check", "-f", dir})
		if err := root.ExecuteContext(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestVersion(t *testing.T) {
	out, stderr, err := run(t, "", "version")
	if err != nil || stderr != "" || !strings.HasPrefix(out, "kfp-preflight ") || !strings.Contains(out, "(go1.") {
		t.Errorf("%v %q %q", err, out, stderr)
	}
}

// TestHelp checks that every command has a help text and examples, that the lines fit on a terminal, and that the program accepts the
// arguments of the examples.
func TestHelp(t *testing.T) {
	root := newRootCommand()
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Example == "" || cmd.Short == "" || cmd.Long == "" {
			t.Errorf("the help of %s is incomplete", cmd.Name())
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 105 {
				t.Errorf("the help of %s has a line of %d characters: %s", cmd.Name(), len(line), line)
			}
		}
		for _, args := range exampleArguments(cmd.Example) {
			if err := acceptsArguments(args); err != nil {
				t.Errorf("an example of %s: %v: %v", cmd.Name(), args, err)
			}
		}
	}
}

// exampleArguments returns the arguments of each call of the program in an example.
func exampleArguments(example string) [][]string {
	var calls [][]string
	for line := range strings.Lines(example) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		for part := range strings.SplitSeq(line, "|") {
			if _, call, ok := strings.Cut(part, "kfp-preflight "); ok {
				call, _, _ = strings.Cut(call, ")")
				calls = append(calls, strings.Fields(call))
			}
		}
	}
	return calls
}

// acceptsArguments parses arguments as the program does, and checks that the required flags are set.
func acceptsArguments(args []string) error {
	root := newRootCommand()
	root.InitDefaultCompletionCmd(args...)
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateRequiredFlags()
}
