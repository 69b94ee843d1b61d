package forecast

import (
	"os"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// TestProgramWithRuntimeName runs a KFP component that creates Secrets. It provides the one that
// its input names or, if the name is known only at run time, any.
func TestProgramWithRuntimeName(t *testing.T) {
	text, err := os.ReadFile("../../testdata/workflow/workflow-secret-missing/warn-kfp-v2-made-by-a-component.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const known, open = `"runtimeValue":{"constant":"credentials"}`, `"taskOutputParameter":{"producerTask":"before",` +
		`"outputParameterKey":"name"}`
	if !strings.Contains(string(text), known) {
		t.Fatal("the test case has changed")
	}
	for from, want := range map[string]Certainty{known: Unknown, open: Possible} {
		wf, err := DecodeYAML[wfv1.Workflow]([]byte(strings.Replace(string(text), known, from, 1)))
		if err != nil {
			t.Fatal(err)
		}
		f := Workflow(wf, controllerOnlyFacts{}, Options{})
		if got := f.Creators("Secret", "other").Provide(-1); got != want {
			t.Errorf("with the name from %s, it provides another Secret: %s, want %s", from, got, want)
		}
		if got := f.Creators("Secret", "credentials").Provide(-1); got != Possible {
			t.Errorf("with the name from %s, it provides the Secret: %s", from, got)
		}
	}
}

// TestProgramProvides runs programs that may create the Secret "made", or only use it.
func TestProgramProvides(t *testing.T) {
	for template, want := range map[string]Certainty{
		"script: {image: a, source: 'kubectl create secret generic made'}":                                              Possible,
		"container: {image: a, command: [sh, -c, 'kubectl create secret generic made-up']}":                             Unknown,
		"container: {image: a, args: [--out, made]}":                                                                    Unknown,
		"container: {image: a, envFrom: [{secretRef: {name: made}}]}":                                                   Unknown,
		"http: {url: 'http://factory/make?secret=made'}":                                                                Possible,
		"resource: {action: create, manifest: '{kind: Job, spec: {args: [kubectl create secret generic made]}}'}":       Possible,
		"resource: {action: create, manifest: '{kind: Job, spec: {volumes: [{name: a, secret: {secretName: made}}]}}'}": Unknown,
	} {
		f := Workflow(workflow(t, "entrypoint: main\ntemplates: [{name: main, "+template+"}]"), serviceAccountFacts{}, Options{})
		assertEqual(t, template, f.Creators("Secret", "made").Provide(-1), want)
	}
}

// serviceAccountFacts are the Facts of a cluster with every ServiceAccount.
type serviceAccountFacts struct{ controllerOnlyFacts }

func (serviceAccountFacts) ServiceAccount(string, string) (*corev1.ServiceAccount, error) {
	return &corev1.ServiceAccount{}, nil
}
