package forecast

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"sigs.k8s.io/yaml"
)

// workflow reads a Workflow from the YAML of its spec.
func workflow(t *testing.T, spec string) *wfv1.Workflow {
	t.Helper()
	wf := &wfv1.Workflow{}
	if err := yaml.Unmarshal([]byte("metadata: {name: run, namespace: team-a}\nspec:\n"+indent(spec)), wf); err != nil {
		t.Fatal(err)
	}
	return wf
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

// summarize returns a line for each pod, with its steps and certainty, and for each gap, with its
// step and reason.
func summarize(f Forecast) []string {
	var out []string
	for _, p := range f.Pods {
		out = append(out, fmt.Sprintf("%s: %s", strings.Join(p.Origin.Steps, ","), p.Origin.Certainty))
	}
	for _, g := range f.Gaps {
		out = append(out, fmt.Sprintf("%s? %s", g.Step, g.Reason))
	}
	return out
}

// leaf is a template that becomes a pod.
const leaf = "- {name: leaf, inputs: {parameters: [{name: x, default: y}]}, container: {image: a, args: ['{{inputs.parameters.x}}']}}"

// TestReached forecasts a Workflow for each way to reach a template.
func TestReached(t *testing.T) {
	for name, test := range map[string]struct {
		spec string
		want []string
	}{
		"the entrypoint":     {"entrypoint: leaf\ntemplates:\n" + leaf, []string{"leaf: certain"}},
		"not the others":     {"entrypoint: leaf\ntemplates:\n- {name: other, container: {}}\n" + leaf, []string{"leaf: certain"}},
		"no such template":   {"entrypoint: loaf\ntemplates:\n" + leaf, []string{"loaf? there is no template loaf"}},
		"suspended at first": {"suspend: true\nentrypoint: leaf\ntemplates:\n" + leaf, []string{"leaf: possible"}},
		"after a step that waits for a person": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf}, {name: wait, template: wait}], [{name: b, template: leaf2}]]}\n" +
				"- {name: wait, suspend: {}}\n- {name: leaf2, container: {}}\n" + leaf,
			[]string{"a: certain", "b: possible"},
		},
		"after a step that waits for a while": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: wait, template: wait}], [{name: b, template: leaf}]]}\n" +
				"- {name: wait, suspend: {duration: '10'}}\n" + leaf,
			[]string{"b: certain"},
		},
		"after a task that waits for a person, nested": {
			"entrypoint: main\ntemplates:\n- {name: main, dag: {tasks: [{name: b, template: leaf, depends: ask}, {name: ask, template: ask}]}}\n" +
				"- {name: ask, steps: [[{name: wait, template: wait}]]}\n- {name: wait, suspend: {}}\n" + leaf,
			[]string{"b: possible"},
		},
		"told to stop": {"shutdown: Stop\nentrypoint: leaf\ntemplates:\n" + leaf, nil},
		"steps, one after other": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf}], [{name: b, template: leaf}, " +
				"{name: c, template: leaf}]]}\n" + leaf,
			[]string{"a,b,c: certain"},
		},
		"a step with a condition": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, when: '{{steps.b.outputs.result}} == 1'}]]}\n" + leaf,
			[]string{"a: possible"},
		},
		"a condition in quotes": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, " +
				"when: '\"{{steps.b.outputs.result}}\" == \"1\"'}]]}\n" + leaf,
			[]string{"a: possible"},
		},
		"a condition that is true": {
			"entrypoint: main\narguments: {parameters: [{name: env, value: prod}]}\ntemplates:\n" +
				"- {name: main, steps: [[{name: a, template: leaf, when: '{{workflow.parameters.env}} == prod && 1 < 2'}]]}\n" + leaf,
			[]string{"a: certain"},
		},
		"a condition that is false": {
			"entrypoint: main\narguments: {parameters: [{name: env, value: test}]}\ntemplates:\n" +
				"- {name: main, steps: [[{name: a, template: leaf, when: '\"{{workflow.parameters.env}}\" == \"prod\"'}]]}\n" + leaf,
			nil,
		},
		"a condition on the item": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withItems: [1, 2, 3], when: '{{item}} > 1', " +
				"arguments: {parameters: [{name: x, value: '{{item}}'}]}}]]}\n" + leaf,
			[]string{"a: certain", "a: certain"},
		},
		"a condition that breaks": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, when: '\"{\"a\": 1}\" != \"None\"'}]]}\n" + leaf,
			[]string{"a: possible"},
		},
		"one step of two is sure": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, when: '{{x}}'}, {name: b, template: leaf}]]}\n" +
				leaf,
			[]string{"a,b: certain"},
		},
		"other inputs, other pod": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf}, " +
				"{name: b, template: leaf, arguments: {parameters: [{name: x, value: z}]}}]]}\n" + leaf,
			[]string{"a: certain", "b: certain"},
		},
		"a DAG with everything": {`
entrypoint: main
templates:
- name: main
  dag:
    tasks:
    - {name: a, template: leaf}
    - {name: b, template: leaf, dependencies: [a], arguments: {parameters: [{name: x, value: b}]}}
    - {name: c, template: leaf, depends: a && b.Succeeded, arguments: {parameters: [{name: x, value: c}]}}
    - {name: d, template: leaf, depends: a.Failed, arguments: {parameters: [{name: x, value: d}]}}
    - {name: e, template: leaf, when: '{{tasks.a.outputs.result}} == 1', arguments: {parameters: [{name: x, value: e}]}}
    - {name: f, template: leaf, depends: e, arguments: {parameters: [{name: x, value: f}]}}
    - {name: g, template: leaf, depends: e.Succeeded, arguments: {parameters: [{name: x, value: g}]}}
    - {name: h, template: leaf, depends: "!a", arguments: {parameters: [{name: x, value: h}]}}
    - {name: i, template: leaf, depends: g.Succeeded, arguments: {parameters: [{name: x, value: i}]}}
    - {name: j, template: leaf, dependencies: [d], arguments: {parameters: [{name: x, value: j}]}}
    - {name: k, template: leaf, depends: d, arguments: {parameters: [{name: x, value: k}]}}
` + leaf, []string{
			"a: certain",
			"b: certain",
			"c: certain",
			"d: possible",
			"e: possible",
			"f: certain",
			"g: possible",
			"h: possible",
			"i: possible",
			"j: possible",
			"k: possible",
		}},
		"only what the target needs": {
			"entrypoint: main\ntemplates:\n- {name: main, dag: {target: b, tasks: [{name: a, template: leaf}, " +
				"{name: b, template: leaf, depends: a}, {name: c, template: leaf, depends: b}]}}\n" + leaf,
			[]string{"a,b: certain"},
		},
		"a target known at run time": {
			"entrypoint: main\ntemplates:\n- {name: main, dag: {target: '{{x}}', tasks: [{name: a, template: leaf}]}}\n" + leaf,
			[]string{"a: possible"},
		},
		"nested": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: outer, template: mid}]]}\n" +
				"- {name: mid, dag: {tasks: [{name: inner, template: leaf}]}}\n" + leaf,
			[]string{"outer/inner: certain"},
		},
		"exit handler": {
			"entrypoint: leaf\nonExit: last\ntemplates:\n- {name: last, container: {}}\n" + leaf,
			[]string{"leaf: certain", "onExit: certain"},
		},
		"hooks": {
			"entrypoint: leaf\nhooks: {exit: {template: last}, running: {template: last, expression: 'true'}}\ntemplates:\n" +
				"- {name: last, container: {}}\n" + leaf,
			[]string{"leaf: certain", "onExit: certain", "hooks.running: possible"},
		},
		"an exit hook that may not": {
			"entrypoint: leaf\nhooks: {exit: {template: last, expression: 'true'}}\ntemplates:\n- {name: last, container: {}}\n" + leaf,
			[]string{"leaf: certain", "onExit: possible"},
		},
		"hooks of a step": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, onExit: last}]]}\n" +
				"- {name: last, container: {}}\n" + leaf,
			[]string{"a: certain", "a/onExit: certain"},
		},
		"inline": {"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, inline: {container: {}}}]]}", []string{"a: certain"}},
		"memoized": {
			"entrypoint: leaf\ntemplates:\n- {name: leaf, container: {}, memoize: {key: a, cache: {configMap: {name: b, key: c}}}}",
			[]string{"leaf: possible"},
		},
		"the same again": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: in}], [{name: b, template: in, when: '{{x}}'}], " +
				"[{name: c, template: in}]]}\n- {name: in, steps: [[{name: d, template: leaf}, " +
				"{name: e, template: other, when: '{{x}}'}]]}\n- {name: other, container: {image: a}}\n" + leaf,
			[]string{"a/d,b/d,c/d: certain", "a/e,b/e,c/e: possible"},
		},
		"recursion": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf}], " +
				"[{name: again, template: main, when: '{{x}}'}]]}\n" + leaf,
			[]string{"a,again/a: certain"},
		},
		"a loop over items": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withItems: [1, two, {k: v}], " +
				"arguments: {parameters: [{name: x, value: '{{item}}'}]}}]]}\n" + leaf,
			[]string{"a: certain", "a: certain", "a: certain"},
		},
		"a loop without its item": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withItems: [1, 2]}]]}\n" + leaf,
			[]string{"a: certain"},
		},
		"a loop over a constant": {
			"entrypoint: main\narguments: {parameters: [{name: l, value: '[1, 2]'}]}\ntemplates:\n" +
				"- {name: main, steps: [[{name: a, template: leaf, withParam: '{{workflow.parameters.l}}', " +
				"arguments: {parameters: [{name: x, value: '{{item}}'}]}}]]}\n" + leaf,
			[]string{"a: certain", "a: certain"},
		},
		"a loop over nothing": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withParam: '[]'}]]}\n" + leaf,
			nil,
		},
		"a loop over an output": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withParam: '{{steps.x.outputs.result}}'}]]}\n" + leaf,
			[]string{"a: possible"},
		},
		"a sequence": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withSequence: {count: 3}, " +
				"arguments: {parameters: [{name: x, value: '{{item}}'}]}}]]}\n" + leaf,
			[]string{"a: certain", "a: certain", "a: certain"},
		},
		"a sequence downwards": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withSequence: {start: '2', end: '1', " +
				"format: 'n%02d'}, arguments: {parameters: [{name: x, value: '{{item}}'}]}}]]}\n" + leaf,
			[]string{"a: certain", "a: certain"},
		},
		"an empty sequence": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withSequence: {count: 0}}]]}\n" + leaf,
			nil,
		},
		"a sequence of the run": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, " +
				"withSequence: {count: '{{steps.x.outputs.result}}'}}]]}\n" + leaf,
			[]string{"a: possible"},
		},
		"after a daemon": {
			"entrypoint: main\ntemplates:\n- {name: main, dag: {tasks: [{name: a, template: server}, " +
				"{name: b, depends: a.Succeeded, template: leaf}]}}\n- {name: server, daemon: true, container: {}}\n" + leaf,
			[]string{"a: certain", "b: possible"},
		},
		"inline, inputs from around": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: mid, withItems: [1, 2], " +
				"arguments: {parameters: [{name: x, value: '{{item}}'}]}}]]}\n" +
				"- {name: mid, inputs: {parameters: [{name: x}]}, " +
				"steps: [[{name: i, inline: {container: {args: ['{{inputs.parameters.x}}']}}}]]}",
			[]string{"a/i: certain", "a/i: certain"},
		},
		"inline, items": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, withItems: [1, 2], inline: {container: {args: ['{{item}}']}}}]]}",
			[]string{"a: certain", "a: certain"},
		},
		"elsewhere": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, templateRef: {name: wt, template: t}}]]}",
			[]string{"main/a? there is no WorkflowTemplate wt"},
		},
		"all elsewhere": {
			"entrypoint: main\nworkflowTemplateRef: {name: wt}",
			[]string{"? there is no WorkflowTemplate wt", "main? there is no template main"},
		},
		"an agent's work": {"entrypoint: main\ntemplates:\n- {name: main, http: {url: a}}", []string{"main: certain"}},
		"a name known at run time": {
			"entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: '{{steps.b.outputs.result}}'}]]}",
			[]string{"main/a? the template's name {{steps.b.outputs.result}} is known only at run time"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := summarize(Workflow(workflow(t, test.spec), controllerOnlyFacts{}, Options{})); !slices.Equal(got, test.want) {
				t.Errorf("forecast\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func assertEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
