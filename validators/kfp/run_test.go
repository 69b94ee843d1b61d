package kfp

import (
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// outputFlags are the arguments that tell drivers where to write their outputs, as KFP's compiler passes them.
var outputFlags = []string{
	"--execution_id_path", "{{outputs.parameters.execution-id.path}}",
	"--iteration_count_path", "{{outputs.parameters.iteration-count.path}}",
	"--condition_path", "{{outputs.parameters.condition.path}}",
	"--cached_decision_path", "{{outputs.parameters.cached-decision.path}}",
	"--pod_spec_patch_path", "{{outputs.parameters.pod-spec-patch.path}}",
}

// driverOutputsOf returns the outputs of a driver.
func driverOutputsOf(t *testing.T, r *Run, args ...string) map[string]string {
	t.Helper()
	out := r.DriverOutputs(append(args, outputFlags...))
	if out == nil {
		t.Fatalf("%v is not recognised as a driver", args)
	}
	return out
}

// startRun runs the driver of the root DAG with the given parameter values and returns the ID of the DAG.
func startRun(t *testing.T, r *Run, parameterValues string) string {
	t.Helper()
	return driverOutputsOf(t, r, "--type", "ROOT_DAG", "--runtime_config", `{"parameterValues": `+parameterValues+`}`)["execution-id"]
}

// podPatch returns the patch that the driver of a step in dag outputs. task, component, container and config are YAML.
func podPatch(t *testing.T, r *Run, dag, task, component, container, config string) Patch {
	t.Helper()
	out := driverOutputsOf(t, r, "--type", "CONTAINER", "--dag_execution_id", dag, "--iteration_index", "-1",
		"--task", yamlToJSON(t, task), "--component", yamlToJSON(t, component),
		"--container", yamlToJSON(t, container), "--kubernetes_config", yamlToJSON(t, config))
	patch, ok := r.Patch(out["pod-spec-patch"])
	if !ok {
		t.Fatalf("%q stands for no patch", out["pod-spec-patch"])
	}
	return patch
}

func yamlToJSON(t *testing.T, text string) string {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestStepCommands checks the commands of a step and the input values that may change what they do.
func TestStepCommands(t *testing.T) {
	var r Run
	dag := startRun(t, &r, `{"cmd": "kubectl create"}`)
	for name, test := range map[string]struct {
		args       []string
		want       string
		incomplete bool
	}{
		"commands": {
			[]string{
				"--container", `{"command": ["a", "b"], "args": ["c"], "env": [{"name": "d"}]}`,
				"--kubernetes_config", `{"secretAsEnv": [{"secretName": "e"}]}`,
			}, "a b c", false,
		},
		"the author's init containers": {
			[]string{
				"--container", `{"command": ["a"]}`,
				"--kubernetes_config", `{"initContainers": [{"command": ["b"], "args": ["c"], "env": [{"name": "d", "value": "e"}]}]}`,
			}, "a b c e", false,
		},
		"inputs": {
			[]string{
				"--container", `{"command": ["a"]}`,
				"--task", `{"inputs": {"parameters": {"x": {"componentInputParameter": "cmd"}}}}`,
			}, "a kubectl create", false,
		},
		"defaults": {
			[]string{
				"--container", `{"command": ["a"]}`,
				"--component", `{"inputDefinitions": {"parameters": {"x": {"defaultValue": 7}}}}`,
			}, "a 7", false,
		},
		"an unknown task": {[]string{"--container", `{"command": ["a"]}`, "--task", "{{tasks.x.outputs.result}}"}, "a", true},
		"unknown inputs": {
			[]string{
				"--container", `{"command": ["a"]}`,
				"--task", `{"inputs": {"parameters": {"x": {"componentInputParameter": "other"}}}}`,
			}, "a", true,
		},
	} {
		commands, values, incomplete, ok := r.StepCommands(append([]string{"--type", "CONTAINER", "--dag_execution_id", dag}, test.args...))
		if got := strings.TrimSpace(commands + " " + values); got != test.want || incomplete != test.incomplete || !ok {
			t.Errorf("%s: %q, %v, %v", name, got, incomplete, ok)
		}
	}
	if _, _, _, ok := r.StepCommands([]string{"--type", "importer"}); ok {
		t.Error("an importer is recognised as a driver")
	}
}

// TestDriverOutputs checks the outputs of drivers other than patches.
func TestDriverOutputs(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want map[string]string
	}{
		"not a driver":    {[]string{"--type", "importer"}, nil},
		"no arguments":    {nil, nil},
		"an unknown kind": {[]string{"--type", "{{inputs.parameters.driver-type}}"}, nil},
		"a step": {
			[]string{"--type=CONTAINER", "--task", `{"taskInfo": {"name": "a"}}`},
			map[string]string{"cached-decision": "false", "condition": "nil", "pod-spec-patch": "kfp-preflight.dev/patch-1"},
		},
		"a step with a condition": {
			[]string{"--type", "CONTAINER", "--task", `{"triggerPolicy": {"condition": "a == b"}}`},
			map[string]string{"cached-decision": "false", "pod-spec-patch": "kfp-preflight.dev/patch-1"},
		},
		"the root DAG": {
			[]string{"--type", "ROOT_DAG"},
			map[string]string{"condition": "nil", "execution-id": "1", "iteration-count": "0"},
		},
		"a DAG": {
			[]string{"--type", "DAG", "--component", "{}"},
			map[string]string{"condition": "nil", "execution-id": "1"},
		},
		"a component that is not JSON":        {[]string{"--type", "DAG", "--component", "no JSON"}, map[string]string{}},
		"a task that exists only at run time": {[]string{"--type", "CONTAINER", "--task", "{{tasks.x.outputs.result}}"}, map[string]string{}},
		"a DAG in an unknown DAG": {
			[]string{"--type", "DAG", "--dag_execution_id", "99"},
			map[string]string{"condition": "nil", "execution-id": "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			if got := r.DriverOutputs(append(test.args, outputFlags...)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// TestCachedDecision checks that a run counts on its cache only where it is allowed to and the step has caching enabled.
func TestCachedDecision(t *testing.T) {
	for task, want := range map[string]string{
		`{"cachingOptions": {"enableCache": true}}`: "",
		`{"cachingOptions": {}}`:                    "false",
		"{}":                                        "false",
	} {
		r := Run{CacheMayHit: true}
		if got := driverOutputsOf(t, &r, "--type", "CONTAINER", "--task", task)["cached-decision"]; got != want {
			t.Errorf("with CacheMayHit, the cached decision of a step with %s is %q, want %q", task, got, want)
		}
	}
}

// TestRecordingIsBounded checks that a driver has no outputs once too much is recorded.
func TestRecordingIsBounded(t *testing.T) {
	var r Run
	dag := startRun(t, &r, `{"text": "`+strings.Repeat("x", maxRecordedBytes/2)+`"}`)
	const task = `{"inputs": {"parameters": {"text": {"componentInputParameter": "text"}}}}`
	for range 3 {
		driverOutputsOf(t, &r, "--type", "DAG", "--dag_execution_id", dag, "--task", task)
	}
	if got := driverOutputsOf(t, &r, "--type", "CONTAINER", "--dag_execution_id", dag); len(got) > 0 {
		t.Errorf("beyond the bound a driver still outputs %v", got)
	}
}

// TestEqualInputsHaveEqualIDs checks that equal DAGs have equal IDs, so that the forecast follows them only once.
func TestEqualInputsHaveEqualIDs(t *testing.T) {
	var r Run
	if a, b := startRun(t, &r, `{"a": 1}`), startRun(t, &r, `{"a": 1}`); a != b {
		t.Errorf("equal inputs are recorded as %s and %s", a, b)
	}
	if a, b := startRun(t, &r, `{"a": 1}`), startRun(t, &r, `{"a": 2}`); a == b {
		t.Errorf("different inputs are recorded as %s", a)
	}
}
