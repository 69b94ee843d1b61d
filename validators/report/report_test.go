package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

const pipeline = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: 한글, namespace: team-a, annotations: {kfp-preflight.dev/skip: "workflow-quota-compute, nonsense"}}
spec:
  entrypoint: main
  templates:
    - name: main
      container:
        image: busybox
        env: [{name: "한글", valueFrom: {secretKeyRef: {name: credentials, key: token}}}]
---
apiVersion: kubeflow.org/v1
kind: Profile
metadata: {name: team-a}
spec: {resourceQuotaSpec: {hard: {nvidia.com/gpu: 1}}}
`

// evaluate evaluates the pipeline and the Profile above, in an empty cluster.
func evaluate(t *testing.T, facts *validators.State) Report {
	t.Helper()
	documents, errs := source.Read(strings.NewReader(pipeline), []string{"-"})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	r := Evaluator{Facts: func() validators.Facts { return facts }, Namespace: "default"}.EvaluateDocuments(documents)
	r.Offline = !facts.Complete
	return r
}

func TestText(t *testing.T) {
	var out bytes.Buffer
	if err := Text(&out, evaluate(t, &validators.State{Complete: true}), false); err != nil {
		t.Fatal(err)
	}
	const want = `standard input:10:40: denied: workflow-secret-missing: create Secret 'credentials' in namespace 'team-a', or correct its name
    10 |         env: [{name: "한글", valueFrom: {secretKeyRef: {name: credentials, key: token}}}]
       |                                          ^
       = Step main needs it (key 'token')
       = Without it the pod stays in Pending (CreateContainerConfigError: secret 'credentials' not found)
       = at spec.templates[0].container.env[0].valueFrom.secretKeyRef of Workflow team-a/한글
standard input:1:1: warning: annotation kfp-preflight.dev/skip names no rule with 'nonsense'; the rules are `
	got := out.String()
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, part := range []string{
		"standard input:1:1: skipped by annotation: workflow-quota-compute\n",
		"standard input:15:51: warning: profile-quota-compute: ",
		"\n2 objects evaluated: 1 would be denied, 1 has warnings\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
	out.Reset()
	err := Text(&out, evaluate(t, &validators.State{Complete: true}), true)
	if err != nil || !strings.Contains(out.String(), ": \x1b[31;1mdenied\x1b[0m: ") {
		t.Errorf("no colour: %v %q", err, out.String())
	}
	out.Reset()
	err = Text(&out, evaluate(t, &validators.State{}), false)
	if err != nil || strings.Contains(out.String(), "denied:") ||
		!strings.Contains(out.String(), "1 check was left out, because no cluster was given") {
		t.Errorf("offline: %v\n%s", err, out.String())
	}
}

// TestTextIsSafe prints control characters, which would control a terminal.
func TestTextIsSafe(t *testing.T) {
	r := Report{Objects: []Object{{Kind: "Workflow", Name: "x", Findings: []Finding{{
		Finding:  validators.Finding{Rule: "a", Certainty: validators.Certain, Problem: "wrong\x1b[2J", Outcome: "\x1b[2J", Fix: "\x1b[2J"},
		Position: &source.Position{File: "a\x1b[2J", Line: 1, Column: 2, Text: "\x1b[2Jgone" + strings.Repeat("x", 1000)},
	}}}}}
	var out bytes.Buffer
	if err := Text(&out, r, false); err != nil || strings.Contains(out.String(), "\x1b") || len(out.String()) > 600 {
		t.Errorf("%v %q", err, out.String())
	}
}

func TestJSON(t *testing.T) {
	r := evaluate(t, &validators.State{Complete: true})
	r.Errors = []error{errors.New("a file that can't be read")}
	var out bytes.Buffer
	if err := JSON(&out, r); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Objects []struct {
			Kind     string
			Denied   bool
			Skipped  []string
			Findings []struct {
				Rule, Level, Message string
				Line, Column         int
			}
		}
		Errors  []string
		Summary map[string]int
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"judged": 2, "denied": 1, "warned": 1, "audited": 0, "notChecked": 1}
	if len(got.Objects) != 2 || len(got.Errors) != 1 || !maps.Equal(got.Summary, want) {
		t.Fatalf("%s", out.String())
	}
	workflow := got.Objects[0]
	if f := workflow.Findings[0]; !workflow.Denied || len(workflow.Skipped) != 1 || f.Level != "denied" || f.Line != 10 || f.Column != 40 ||
		f.Message != r.Objects[0].Findings[0].Message() {
		t.Errorf("%s", out.String())
	}
}

func TestSARIF(t *testing.T) {
	var out bytes.Buffer
	if err := SARIF(&out, evaluate(t, &validators.State{Complete: true}), "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	read, err := sarif.FromBytes(out.Bytes(), sarif.WithStrictValidation())
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Validate(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	run := read.Runs[0]
	if len(run.Tool.Driver.Rules) != len(validators.RuleIDs()) || len(run.Results) != 2 {
		t.Fatalf("%d rules, %d results", len(run.Tool.Driver.Rules), len(run.Results))
	}
	first := run.Results[0]
	region := first.Locations[0].PhysicalLocation.Region
	if first.Level != "error" || *first.RuleID != validators.WorkflowSecretMissing || *region.StartLine != 10 || *region.StartColumn != 40 {
		t.Errorf("%s", out.String())
	}
}

func TestGitHub(t *testing.T) {
	r := Report{Objects: []Object{{Kind: "Workflow", Namespace: "team-a", Name: "x", Findings: []Finding{{
		Finding: validators.Finding{Rule: "a", Certainty: validators.Certain, Problem: "100% wrong"}, Effect: validators.Deny,
		Position: &source.Position{File: "a,b:c.yaml", Line: 3, Column: 4},
	}}}}}
	var out bytes.Buffer
	if err := GitHub(&out, r); err != nil {
		t.Fatal(err)
	}
	const want = "::error file=a%2Cb%3Ac.yaml,line=3,col=4,title=a in Workflow team-a/x::a: 100%25 wrong.\n"
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

func TestExitCode(t *testing.T) {
	of := func(certainty validators.Certainty, effect validators.Mode) Object {
		return Object{Findings: []Finding{{Finding: validators.Finding{Certainty: certainty}, Effect: effect}}}
	}
	denied := of(validators.Certain, validators.Deny)
	warned := of(validators.Possible, validators.Warn)
	notChecked := of(validators.Unknown, validators.Warn)
	for name, test := range map[string]struct {
		r    Report
		want int
	}{
		"no finding":                           {Report{Objects: []Object{{}}}, 0},
		"a warning":                            {Report{Objects: []Object{warned}}, 0},
		"a denial":                             {Report{Objects: []Object{warned, denied}}, 1},
		"not checked in a cluster":             {Report{Objects: []Object{denied, notChecked}}, 2},
		"not checked offline":                  {Report{Objects: []Object{notChecked}, Offline: true}, 0},
		"not checked offline, beside a denial": {Report{Objects: []Object{denied, notChecked}, Offline: true}, 1},
		"an unreadable file":                   {Report{Objects: []Object{denied}, Errors: []error{errors.New("x")}}, 2},
	} {
		if got := test.r.ExitCode(); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// TestPipeline reads a compiled pipeline and its platform spec from one file, after another document.
func TestPipeline(t *testing.T) {
	documents, errs := source.Read(strings.NewReader(`kind: Secret
metadata: {name: other}
---
pipelineInfo: {name: example}
deploymentSpec: {executors: {exec-step: {container: {image: busybox}}}}
components: {comp-step: {executorLabel: exec-step}}
root: {dag: {tasks: {step: {componentRef: {name: comp-step}}}}}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-step: {secretAsEnv: [{secretName: credentials, keyToEnv: [{secretKey: token, envVar: TOKEN}]}]}
`), []string{"-"})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	facts := func() validators.Facts { return &validators.State{Complete: true} }
	r := Evaluator{Facts: facts, Namespace: "team-a"}.EvaluateDocuments(documents)
	if len(r.Objects) != 1 || len(r.Objects[0].Findings) != 1 {
		t.Fatalf("%+v", r)
	}
	if o, at := r.Objects[0], r.Objects[0].Findings[0].Position; o.Position.Line != 4 || at.Line != 13 || at.Column != 9 {
		t.Errorf("the pipeline is at line %d, the missing Secret at %d:%d", o.Position.Line, at.Line, at.Column)
	}
}
