package objects

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// spec is the spec of a Workflow that needs a Secret, whose name is a parameter.
const spec = `{entrypoint: main, arguments: {parameters: [{name: secret, value: credentials}]},
	templates: [{name: main, container: {image: busybox,
	env: [{name: A, valueFrom: {secretKeyRef: {name: "{{workflow.parameters.secret}}", key: a}}}]}}]}`

func asJSON(t *testing.T, text string) string {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func quoted(text string) string {
	raw, _ := json.Marshal(text)
	return string(raw)
}

func TestEvaluate(t *testing.T) {
	argo := func(kind, spec string) string {
		return fmt.Sprintf("{apiVersion: argoproj.io/v1alpha1, kind: %s, metadata: {name: x, namespace: team-a}, spec: %s}", kind, spec)
	}
	scheduled := func(workflow string) string {
		return fmt.Sprintf("{apiVersion: kubeflow.org/v1beta1, kind: ScheduledWorkflow, "+
			"metadata: {name: x, namespace: team-a}, spec: {workflow: %s}}", workflow)
	}
	whole := asJSON(t, argo("Workflow", spec))
	library := strings.Replace(spec, "entrypoint: main, ", "", 1)
	for name, test := range map[string]struct {
		object string
		want   string // field, certainty and Secret of the first finding, or empty
	}{
		"a Workflow": {argo("Workflow", spec), "spec.templates[0] certain credentials"},
		"a CronWorkflow": {
			argo("CronWorkflow", "{schedule: '* * * * *', workflowSpec: "+spec+"}"),
			"spec.workflowSpec.templates[0] certain credentials",
		},
		"a WorkflowTemplate":                    {argo("WorkflowTemplate", spec), "spec.templates[0] certain credentials"},
		"a WorkflowTemplate without entrypoint": {argo("WorkflowTemplate", library), "spec.templates[0] possible credentials"},
		"a ClusterWorkflowTemplate": {
			strings.Replace(argo("ClusterWorkflowTemplate", spec), ", namespace: team-a", "", 1),
			"spec.templates[0] certain credentials",
		},
		"a ScheduledWorkflow with a string": {
			scheduled("{spec: " + quoted(whole) + "}"), "spec.workflow.spec.templates[0] certain credentials",
		},
		"a ScheduledWorkflow with a spec in a string": {
			scheduled("{spec: " + quoted(asJSON(t, spec)) + "}"), "spec.workflow.spec.templates[0] certain credentials",
		},
		"a ScheduledWorkflow with a spec": {scheduled("{spec: " + spec + "}"), "spec.workflow.spec.templates[0] certain credentials"},
		"a ScheduledWorkflow with parameters": {
			scheduled("{parameters: [{name: secret, value: other}], spec: " + spec + "}"), "spec.workflow.spec.templates[0] certain other",
		},
		"a ScheduledWorkflow with a parameter that KFP fills in": {
			scheduled("{parameters: [{name: secret, value: 'a-[[Index]]'}], spec: " + spec + "}"), "",
		},
		"a ScheduledWorkflow without a spec": {scheduled("{parameters: [{name: a, value: b}]}"), ""},
		"a Profile": {
			"{apiVersion: kubeflow.org/v1, kind: Profile, metadata: {name: team-a}, spec: {resourceQuotaSpec: {hard: {cpu: 1}}}}",
			"spec.resourceQuotaSpec.hard[cpu] certain ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Decode([]byte(asJSON(t, test.object)), "team-a")
			if err != nil || o == nil {
				t.Fatal(o, err)
			}
			findings := o.Evaluate(&validators.State{Complete: true}, validators.Options{}, func(string) bool { return true })
			got := ""
			if len(findings) > 0 {
				f := findings[0]
				_, secret, _ := strings.Cut(f.Fix, "Secret '")
				secret, _, _ = strings.Cut(secret, "'")
				field, _, _ := strings.Cut(f.Field, ".container")
				got = fmt.Sprintf("%s %s %s", field, f.Certainty, secret)
			}
			if got != test.want {
				t.Errorf("%+v, want %q", findings, test.want)
			}
		})
	}
}

func TestOtherKinds(t *testing.T) {
	for _, text := range []string{
		"{kind: Secret, apiVersion: v1}", "{kind: Workflow, apiVersion: example.com/v1}", "{kind: Profile, apiVersion: v1}", "{}",
	} {
		if o, err := Decode([]byte(asJSON(t, text)), "team-a"); o != nil || err != nil {
			t.Errorf("%s: %v, %v", text, o, err)
		}
	}
	for _, text := range []string{
		"[]", "{kind: Workflow, apiVersion: argoproj.io/v1alpha1, spec: 7}",
		"{kind: ScheduledWorkflow, apiVersion: kubeflow.org/v1beta1, spec: {workflow: {spec: 'no JSON'}}}",
	} {
		if o, err := Decode([]byte(asJSON(t, text)), "team-a"); err == nil {
			t.Errorf("%s is decoded as %v", text, o)
		}
	}
}

func TestSkipped(t *testing.T) {
	o, err := Decode([]byte(asJSON(t, `{apiVersion: argoproj.io/v1alpha1, kind: CronWorkflow,
		metadata: {name: x, annotations: {kfp-preflight.dev/skip: "workflow-quota-compute, nonsense"}},
		spec: {workflowMetadata: {annotations: {kfp-preflight.dev/skip: workflow-secret-missing}}, workflowSpec: `+spec+`}}`)), "team-a")
	if err != nil {
		t.Fatal(err)
	}
	rules, unknown := o.Skipped()
	want := []string{validators.WorkflowQuotaCompute, validators.WorkflowSecretMissing}
	if !slices.Equal(rules, want) || !slices.Equal(unknown, []string{"nonsense"}) {
		t.Errorf("skipped %v, unknown %v", rules, unknown)
	}
	if o.String() != "CronWorkflow team-a/x" {
		t.Errorf("the object is called %s", o)
	}
}
