package forecast

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fakeFacts are the Facts of a cluster with ConfigMaps.
type fakeFacts struct {
	controllerOnlyFacts
	configMaps map[string]*corev1.ConfigMap
	err        error
}

func (f fakeFacts) ConfigMap(_, name string) (*corev1.ConfigMap, error) {
	return f.configMaps[name], f.err
}

func (f fakeFacts) ServiceAccount(_, name string) (*corev1.ServiceAccount, error) {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func parameterMap(label string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{configMapTypeLabel: label}}, Data: data}
}

// TestValues resolves a text for each source of a parameter's value.
func TestValues(t *testing.T) {
	facts := fakeFacts{configMaps: map[string]*corev1.ConfigMap{
		"simple":    parameterMap("Parameter", map[string]string{"who": "from the ConfigMap"}),
		"unlabeled": parameterMap("", map[string]string{"who": "not for you"}),
	}}
	for name, test := range map[string]struct {
		arguments, inputs, text string
		want                    string
	}{
		"a label":                    {text: "{{workflow.labels.team}}", want: "a"},
		"a label from an expression": {text: "{{workflow.labels.later}}", want: "{{workflow.labels.later}}"},
		"a label for the Workflow":   {text: "{{workflow.labels.given}}", want: "yes"},
		"an annotation":              {text: "{{workflow.annotations.a.b/c-d}}", want: "e"},
		"the priority":               {text: "{{workflow.priority}}", want: "7"},
		"the time": {
			text: "{{workflow.creationTimestamp}} {{workflow.creationTimestamp.s}}",
			want: "2026-01-02T03:04:05Z 1767323045",
		},
		"what only the run knows": {text: "{{workflow.status}}", want: "{{workflow.status}}"},
		"an argument":             {"[{name: x, value: 1}]", "", "{{workflow.parameters.x}}", "1"},
		"an argument with a tag": {
			"[{name: x, value: '{{workflow.name}}-x'}]",
			"[{name: z, default: '{{workflow.parameters.x}}'}]",
			"{{inputs.parameters.z}}",
			"run-x",
		},
		"an argument from a ConfigMap": {
			"[{name: x, valueFrom: {configMapKeyRef: {name: simple, key: who}}}]",
			"",
			"{{workflow.parameters.x}}",
			"from the ConfigMap",
		},
		"its default": {
			"[{name: x, valueFrom: {default: usual, configMapKeyRef: {name: simple, key: other}}}]",
			"",
			"{{workflow.parameters.x}}",
			"usual",
		},
		"without the label": {
			"[{name: x, valueFrom: {configMapKeyRef: {name: unlabeled, key: who}}}]",
			"",
			"{{workflow.parameters.x}}",
			"{{workflow.parameters.x}} ? parameter x has no value: there is no ConfigMap unlabeled with the label " +
				"workflows.argoproj.io/configmap-type: Parameter and the key who",
		},
		"an input from a ConfigMap": {
			"[{name: m, value: simple}]",
			"[{name: z, default: usual, valueFrom: {configMapKeyRef: {name: '{{workflow.parameters.m}}', key: who}}}]",
			"{{inputs.parameters.z}}",
			"from the ConfigMap",
		},
		"a ConfigMap known later": {
			"",
			"[{name: z, valueFrom: {configMapKeyRef: {name: '{{workflow.status}}', key: who}}}]",
			"{{inputs.parameters.z}}",
			"{{inputs.parameters.z}}",
		},
		"an argument instead of one": {
			"[{name: z, value: given}]",
			"[{name: z, valueFrom: {configMapKeyRef: {name: simple, key: who}}}]",
			"{{inputs.parameters.z}}",
			"given",
		},
		"an input supplied by somebody": {"", "[{name: z, valueFrom: {supplied: {}}}]", "{{inputs.parameters.z}}", "{{inputs.parameters.z}}"},
	} {
		t.Run(name, func(t *testing.T) {
			wf := workflow(t, "entrypoint: main\npriority: 7\nworkflowMetadata: {labels: {given: 'yes'}, labelsFrom: {later: {expression: x}}}\n"+
				"arguments: {parameters: "+cmp.Or(test.arguments, "[]")+"}\n"+
				"templates: [{name: main, inputs: {parameters: "+cmp.Or(test.inputs, "[]")+"}, "+
				"container: {image: a, args: ['"+test.text+"']}}]")
			wf.Labels = map[string]string{"team": "a", "later": "not yet", "given": "no"}
			wf.Annotations = map[string]string{"a.b/c-d": "e"}
			wf.CreationTimestamp = metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			f := Workflow(wf, facts, Options{})
			got := strings.Join(f.Pods[0].Spec.Containers[1].Args, " ")
			for _, g := range f.Gaps {
				got += " ? " + g.Reason
			}
			assertEqual(t, test.text, got, test.want)
		})
	}
	facts.err = errors.New("forbidden")
	f := Workflow(workflow(t,
		"entrypoint: leaf\narguments: {parameters: [{name: x, valueFrom: {configMapKeyRef: {name: a, key: b}}}]}\ntemplates:\n"+leaf),
		facts, Options{})
	assertEqual(t, "a lookup that failed", strings.Join(summarize(f), "; "),
		"leaf: certain; ? the value of parameter x is not known: forbidden; ? the artifact repository is not known: forbidden")
}
