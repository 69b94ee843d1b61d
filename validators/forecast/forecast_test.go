package forecast

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
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

// summarize lists what is forecast: for each pod its steps and how certain they are, for each gap its step and reason.
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

// TestReached says for each way in which a Workflow can reach a template whether it is forecast, and how surely.
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

// TestBounds has Workflows that would never end, or not soon.
func TestBounds(t *testing.T) {
	var numbers []string
	for i := range 3 * maxVisits {
		numbers = append(numbers, fmt.Sprint(i))
	}
	items := "[" + strings.Join(numbers, ", ") + "]"
	for name, spec := range map[string]string{
		"an argument that grows": "entrypoint: main\ntemplates:\n" +
			"- {name: main, inputs: {parameters: [{name: p, value: a}]}, " +
			"steps: [[{name: again, template: main, arguments: {parameters: [{name: p, value: 'x{{inputs.parameters.p}}'}]}}]]}",
		"an argument that explodes": "entrypoint: main\ntemplates:\n" +
			"- {name: main, inputs: {parameters: [{name: p, value: abcdefgh}]}, " +
			"steps: [[{name: again, template: main, arguments: {parameters: [{name: p, value: '" +
			strings.Repeat("{{inputs.parameters.p}}", 200) + "'}]}}]]}",
		"a large template often": "entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: big, withItems: " + items +
			", arguments: {parameters: [{name: x, value: '{{item}}-{{item}}'}]}}]]}\n" +
			"- {name: big, inputs: {parameters: [{name: x}]}, script: {image: a, source: '{{inputs.parameters.x}} " +
			strings.Repeat("x", 100_000) + "'}}",
		"templates that call double": "entrypoint: t0\ntemplates:\n" + doubling(60) + leaf,
		"many items":                 "entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: leaf, withItems: " + items + "}]]}\n" + leaf,
	} {
		t.Run(name, func(t *testing.T) {
			f := Workflow(workflow(t, spec), controllerOnlyFacts{}, Options{})
			if len(f.Pods) > maxVisits || len(f.Gaps) > 1 {
				t.Errorf("%d pods, %d gaps", len(f.Pods), len(f.Gaps))
			}
			if name != "templates that call double" && (len(f.Gaps) != 1 || !strings.Contains(f.Gaps[0].Reason, "MiB")) {
				t.Errorf("it is not said that something was left out: %v", f.Gaps)
			}
		})
	}
}

// doubling is a chain of templates each of which calls the next one twice: 2^n steps.
func doubling(n int) string {
	var out strings.Builder
	for i := range n {
		next := fmt.Sprintf("t%d", i+1)
		if i == n-1 {
			next = "leaf"
		}
		fmt.Fprintf(&out, "- {name: t%d, steps: [[{name: a, template: %s}, {name: b, template: %s}]]}\n", i, next, next)
	}
	return out.String()
}

// TestAssembled has pods in full, under a controller that customizes its containers.
func TestAssembled(t *testing.T) {
	controller, err := ParseControllerConfig(map[string]string{
		"executor":      "resources: {requests: {cpu: 10m}}\nenv: [{name: FROM_EXECUTOR, value: a}]\n",
		"mainContainer": "resources: {requests: {memory: 1Gi}}\nenv: [{name: FROM_CONTROLLER, value: b}]\n",
		"workflowDefaults": `
spec:
  serviceAccountName: default-editor
  podPriorityClassName: low
  templateDefaults:
    container: {env: [{name: FROM_DEFAULTS, value: c}]}
`,
		"persistence": "not: [read", // keys that don't matter may hold anything
	})
	if err != nil {
		t.Fatal(err)
	}
	f := Workflow(workflow(t, `
entrypoint: main
activeDeadlineSeconds: 600
volumes: [{name: used, secret: {secretName: '{{inputs.parameters.whose}}'}}, {name: unused, secret: {secretName: a}}]
arguments: {parameters: [{name: who, value: b}]}
podSpecPatch: '{"containers": [{"name": "wait", "resources": {"limits": {"memory": "{{workflow.parameters.size}}"}}}]}'
templates:
- name: main
  inputs: {parameters: [{name: whose, default: '{{workflow.parameters.who}}'}, {name: ignored, default: c, valueFrom: {configMapKeyRef: {name: a, key: b}}}]}
  timeout: 1m
  priorityClassName: high
  container:
    image: a
    env: [{name: OWN, value: '{{workflow.name}} {{workflow.namespace}} {{inputs.parameters.ignored}}'}]
    volumeMounts: [{name: used, mountPath: /used}]
  initContainers: [{name: first, image: b}]
  sidecars: [{name: beside, image: c}]
`), controllerOnlyFacts(controller), Options{})
	if len(f.Pods) != 1 || len(f.Gaps) != 1 { // the parameter without its ConfigMap
		t.Fatalf("%+v", f)
	}
	pod := f.Pods[0]
	if pod.Unknown == "" {
		t.Error("a patch with a parameter that nobody gives is taken for decided")
	}
	spec := pod.Spec
	assertEqual(t, "init containers", containerNames(spec.InitContainers), "init first")
	assertEqual(t, "containers", containerNames(spec.Containers), "wait main beside")
	assertEqual(t, "deadline", *spec.ActiveDeadlineSeconds, int64(60))
	assertEqual(t, "priority", spec.PriorityClassName, "high")
	assertEqual(t, "service account", spec.ServiceAccountName, "default-editor")
	assertEqual(t, "volumes", fmt.Sprintf("%d %s", len(spec.Volumes), spec.Volumes[0].Secret.SecretName), "1 b")
	main, wait := spec.Containers[1], spec.Containers[0]
	var env []string
	for _, e := range main.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	slices.Sort(env)
	assertEqual(t, "main's variables", strings.Join(env, ", "),
		"FROM_CONTROLLER=b, FROM_DEFAULTS=c, OWN=run team-a {{inputs.parameters.ignored}}")
	assertEqual(t, "main's memory", main.Resources.Requests.Memory().String(), "1Gi")
	assertEqual(t, "wait's cpu", wait.Resources.Requests.Cpu().String(), "10m")
	assertEqual(t, "init's variables", spec.InitContainers[0].Env[0].Name, "FROM_EXECUTOR")

	assertEqual(t, "where OWN is written", pod.EnvPath("main", "OWN", inside).String(), "spec.templates[0].container.env[0].inside")
	assertEqual(t, "where a default is written", pod.EnvPath("main", "FROM_DEFAULTS", inside).String(), "spec.templates[0]")
	assertEqual(t, "where the volume is written", pod.VolumePath("used", inside).String(), "spec.volumes[0].inside")
}

func inside(p *field.Path) *field.Path { return p.Child("inside") }

func assertEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func containerNames(containers []corev1.Container) string {
	var out []string
	for _, c := range containers {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

// TestContainers has the containers of each kind of template.
func TestContainers(t *testing.T) {
	for template, want := range map[string]string{
		"container: {image: a}":                                         "wait main",
		"script: {image: a, source: b}":                                 "wait main",
		"containerSet: {containers: [{name: a}, {name: b}]}":            "wait a b",
		"resource: {action: get}":                                       "main",
		"data: {source: {}, transformation: []}":                        "main",
		"resource: {action: get}, archiveLocation: {archiveLogs: true}": "wait main",
	} {
		f := Workflow(workflow(t, "entrypoint: main\ntemplates: [{name: main, "+template+"}]"), controllerOnlyFacts{}, Options{})
		if len(f.Pods) != 1 {
			t.Errorf("%s: %v", template, summarize(f))
			continue
		}
		assertEqual(t, template, containerNames(f.Pods[0].Spec.Containers), want)
		assertEqual(t, template, containerNames(f.Pods[0].Spec.InitContainers), "init")
	}
}

func TestParseController(t *testing.T) {
	whole, err := ParseControllerConfig(map[string]string{"config": "executor: {resources: {limits: {cpu: 1}}}\nnewer: {than: us}"})
	if err != nil || whole.Executor.Resources.Limits.Cpu().String() != "1" {
		t.Errorf("%+v, %v", whole, err)
	}
	for _, data := range []map[string]string{{"config": "executor: 7"}, {"mainContainer": "[a]"}} {
		if _, err := ParseControllerConfig(data); err == nil || !strings.HasPrefix(err.Error(), "key ") {
			t.Errorf("%v: %v", data, err)
		}
	}
	if empty, err := ParseControllerConfig(nil); err != nil || empty.Executor != nil {
		t.Errorf("%+v, %v", empty, err)
	}
}

func TestReplaceTags(t *testing.T) {
	known := tagValues{"a": "1", "b": "{{a}}", "c": `x"y`}
	for text, want := range map[string]string{
		"{{a}} {{ a }} {{unknown}}": "1 1 {{unknown}}",
		"{{b}}":                     "{{a}}", // what is put in is not looked at again
		"{{x.{{a}}}}":               "{{x.1}}",
		"}} {{ {{a":                 "}} {{ {{a",
		`{"k":{"n":{}}} {{c}}`:      `{"k":{"n":{}}} x"y`,
		"{{=a}}":                    "{{=a}}",
	} {
		assertEqual(t, text, resolveTagsInText(&budget{maxWork}, text, known), want)
	}
	got := corev1.EnvVar{Name: "{{c}}"}
	if err := resolveTags(&budget{maxWork}, &got, known); err != nil || got.Name != `x"y` {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOpenProgram has a component of KFP that makes Secrets: of the name that it is given or, if that exists only at run time, of any.
func TestOpenProgram(t *testing.T) {
	text, err := os.ReadFile("../../testdata/workflow/workflow-secret-missing/warn-kfp-v2-made-by-a-component.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const known, open = `"runtimeValue":{"constant":"credentials"}`, `"taskOutputParameter":{"producerTask":"before",` +
		`"outputParameterKey":"name"}`
	if !strings.Contains(string(text), known) {
		t.Fatal("the case is another one now")
	}
	for from, want := range map[string]Certainty{known: Unknown, open: Possible} {
		wf, err := DecodeYAML[wfv1.Workflow]([]byte(strings.Replace(string(text), known, from, 1)))
		if err != nil {
			t.Fatal(err)
		}
		f := Workflow(wf, controllerOnlyFacts{}, Options{})
		if got := f.Creators("Secret", "other").Provide(-1); got != want {
			t.Errorf("told by %s, it makes another Secret: %s, want %s", from, got, want)
		}
		if got := f.Creators("Secret", "credentials").Provide(-1); got != Possible {
			t.Errorf("told by %s, it makes the Secret: %s", from, got)
		}
	}
}

// TestOddTags has tags whose names have other characters in JSON, where Argo looks for them and does not find them, and values that
// are no JSON.
func TestOddTags(t *testing.T) {
	known := tagValues{"a&b": "1", "c": "2", "bell": "\a"}
	for text, want := range map[string]string{"{{a&b}}": "{{a&b}}", "{{\nc}}": "{{\nc}}", "{{ c }}": "2"} {
		got := corev1.EnvVar{Name: text}
		if err := resolveTags(&budget{maxWork}, &got, known); err != nil || got.Name != want {
			t.Errorf("%q becomes %q, %v", text, got.Name, err)
		}
	}
	if err := resolveTags(&budget{maxWork}, &corev1.EnvVar{Name: "{{bell}}"}, known); err == nil {
		t.Error("a value that is no JSON is filled in")
	}
}

func TestMakes(t *testing.T) {
	secret := func(name string) Created { return Created{Kind: "Secret", Name: name} }
	if got := (Created{Kind: "Cluster", Name: "db", Manifest: "{}"}).Provides("Secret", "db-app"); got != Possible {
		t.Errorf("a database operator: %s", got)
	}
	for _, test := range []struct {
		created Created
		want    Certainty
	}{
		{secret("a"), Certain},
		{secret("b"), Unknown},
		{secret(""), Unknown}, // generateName
		{secret("{{inputs.parameters.x}}"), Possible},
		{secret("a{{x}}"), Possible},
		{secret("b{{x}}"), Unknown},
		{Created{}, Possible},
		{Created{Kind: "ExternalSecret", Manifest: "name: a"}, Possible},
		{Created{Kind: "{{x}}", Name: "a", Manifest: "name: a"}, Possible},
		{Created{Kind: "Workflow", Manifest: "args: [kubectl create secret generic a]"}, Possible},
		{Created{Kind: "Job", Manifest: "secretName: a"}, Unknown},
		{Created{Kind: "ConfigMap", Name: "a", Manifest: "name: a"}, Unknown},
	} {
		if got := test.created.Provides("Secret", "a"); got != test.want {
			t.Errorf("%+v makes Secret a: %s, want %s", test.created, got, test.want)
		}
	}
}

// TestProgramMakes has programs that may make the Secret "made", or only use it.
func TestProgramMakes(t *testing.T) {
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

func TestCreated(t *testing.T) {
	for manifest, want := range map[string]string{
		"{kind: Secret, metadata: {name: a}}":                                          "Secret/a",
		"kind: Secret\nmetadata: {name: a}\n---\nkind: ConfigMap\nmetadata: {name: b}": "Secret/a ConfigMap/b",
		"kind: List\nitems: [{kind: Secret, metadata: {name: a}}]":                     "Secret/a List/",
		"kind: Secret\nmetadata: {name: a, namespace: team-b}":                         "",
		"kind: Secret\nmetadata: {name: a, namespace: '{{x}}'}":                        "Secret/a",
		"{{inputs.parameters.manifest}}":                                               "/",
		"":                                                                             "/",
	} {
		var got []string
		for _, c := range createdObjects(&wfv1.ResourceTemplate{Action: "create", Manifest: manifest}, "team-a", noPod) {
			got = append(got, c.Kind+"/"+c.Name)
		}
		assertEqual(t, manifest, strings.Join(got, " "), want)
	}
	if got := createdObjects(&wfv1.ResourceTemplate{Action: "{{x}}", Manifest: "{kind: Secret, metadata: {name: a}}"}, "", noPod); len(got) != 1 {
		t.Errorf("an action known at run time makes %v", got)
	}
	if got := createdObjects(&wfv1.ResourceTemplate{Action: "delete", Manifest: "kind: Secret"}, "", noPod); got != nil {
		t.Errorf("a deletion makes %v", got)
	}
}
