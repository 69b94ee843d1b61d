package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const templateRef = "../../testdata/workflow/workflow-secret-missing/deny-template-ref.yaml"

// run runs the program with a text as its standard input.
func run(t *testing.T, stdin string, args ...string) (out, stderr string, err error) {
	t.Helper()
	root := newRootCommand()
	var outBuffer, errBuffer bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&outBuffer)
	root.SetErr(&errBuffer)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return outBuffer.String(), errBuffer.String(), err
}

func TestPodsText(t *testing.T) {
	out, _, err := run(t, "", "pods", "-f", templateRef, "--state", templateRef)
	if err != nil {
		t.Fatal(err)
	}
	const want = `Workflow example in namespace team-a (` + templateRef + `, document 2)
└─ prepare
   └─ download
         template download, runs
           init container init: no resources
           containers wait, main: no resources
           Secret credentials
`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil || !strings.Contains(string(readme), strings.ReplaceAll(want, "../../", "")) {
		t.Errorf("the README shows other text (%v)", err)
	}
	out, _, err = run(t, "", "pods", "-f", templateRef)
	if err != nil || !strings.Contains(out, "? main/prepare: WorkflowTemplate team-a/tools is not among the manifests that were given") {
		t.Errorf("without --state: %v\n%s", err, out)
	}
}

func TestPodsStructured(t *testing.T) {
	text, err := os.ReadFile(templateRef)
	if err != nil {
		t.Fatal(err)
	}
	for format, parse := range map[string]func([]byte, any) error{
		"json": json.Unmarshal, "yaml": func(b []byte, v any) error { return yaml.Unmarshal(b, v) },
	} {
		out, stderr, err := run(t, string(text), "pods", "-f", "-", "--state", templateRef, "-o", format)
		if err != nil || stderr != "" {
			t.Fatal(err, stderr)
		}
		var list struct {
			Kind  string
			Items []corev1.Pod
		}
		if err := parse([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		if list.Kind != "List" || len(list.Items) != 1 {
			t.Fatalf("%s", out)
		}
		pod := list.Items[0]
		for annotation, want := range map[string]string{
			"workflow": "example", "template": "download", "steps": "prepare/download", "certainty": "certain",
			"field": "spec.templates[0].steps[0][0].templateRef",
		} {
			if got := pod.Annotations["kfp-preflight.dev/"+annotation]; got != want {
				t.Errorf("%s: %q, want %q", annotation, got, want)
			}
		}
		if pod.Namespace != "team-a" || len(pod.Spec.Containers) != 2 {
			t.Errorf("%+v", pod)
		}
	}
}

func TestPodsRejects(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("kind: Workflow\n---\nkind: Workflow\nspec: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`required flag(s) "file" not set`:        {"pods"},
		"no such file":                           {"pods", "-f", "nowhere.yaml"},
		"broken.yaml, document 2":                {"pods", "-f", broken},
		"the files contain no Workflow":          {"pods", "-f", t.TempDir()},
		`-o must be text, json or yaml, not "x"`: {"pods", "-f", templateRef, "-o", "x"},
		"--state":                                {"pods", "-f", templateRef, "--state", "nowhere"},
	} {
		if _, _, err := run(t, "", args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
}
