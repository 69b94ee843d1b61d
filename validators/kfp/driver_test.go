package kfp

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// outputFlags are the files that drivers write, as KFP's compiler names them.
var outputFlags = []string{
	"--execution_id_path", "{{outputs.parameters.execution-id.path}}",
	"--iteration_count_path", "{{outputs.parameters.iteration-count.path}}",
	"--condition_path", "{{outputs.parameters.condition.path}}",
	"--cached_decision_path", "{{outputs.parameters.cached-decision.path}}",
	"--pod_spec_patch_path", "{{outputs.parameters.pod-spec-patch.path}}",
}

func drive(t *testing.T, r *Run, args ...string) map[string]string {
	t.Helper()
	out := r.Driver(append(args, outputFlags...))
	if out == nil {
		t.Fatalf("%v is taken for no driver", args)
	}
	return out
}

// root starts a run with the values of its pipeline's parameters, and returns the ID of its DAG.
func root(t *testing.T, r *Run, parameterValues string) string {
	t.Helper()
	return drive(t, r, "--type", "ROOT_DAG", "--runtime_config", `{"parameterValues": `+parameterValues+`}`)["execution-id"]
}

// patchOf is what the driver of a step in dag makes of its container and its Kubernetes configuration, both in YAML.
func patchOf(t *testing.T, r *Run, dag, task, component, container, config string) Patch {
	t.Helper()
	out := drive(t, r, "--type", "CONTAINER", "--dag_execution_id", dag, "--task", inJSON(t, task), "--component", inJSON(t, component),
		"--container", inJSON(t, container), "--kubernetes_config", inJSON(t, config), "--iteration_index", "-1")
	patch, ok := r.Patch(out["pod-spec-patch"])
	if !ok {
		t.Fatalf("%q is no patch", out["pod-spec-patch"])
	}
	return patch
}

func inJSON(t *testing.T, text string) string {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestPatch has what the Kubernetes configuration and the resources of a step do to its pod: the main container and the
// pod, in YAML, without what is empty.
func TestPatch(t *testing.T) {
	for name, test := range map[string]struct {
		task, component, container, config string
		want                               string
		undecided                          string
	}{
		"nothing": {want: "{containers: [{name: main}]}"},
		"a Secret's keys as variables": {
			config: "secretAsEnv: [{secretNameParameter: {runtimeValue: {constant: s}}, keyToEnv: [{secretKey: k, envVar: A}, {secretKey: l, envVar: B}]}]",
			want:   "{containers: [{name: main, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: B, valueFrom: {secretKeyRef: {name: s, key: l}}}]}]}",
		},
		"the same in snake_case": {
			config: "secret_as_env: [{secret_name_parameter: {runtime_value: {constant: s}}, key_to_env: [{secret_key: k, env_var: A}]}]",
			want:   "{containers: [{name: main, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}",
		},
		"the deprecated name, which the parameter overrides": {
			config: "secretAsEnv: [{secretName: s, keyToEnv: [{secretKey: k, envVar: A}]}, {secretName: old, secretNameParameter: {runtimeValue: {constant: new}}, keyToEnv: [{secretKey: k, envVar: B}]}]",
			want:   "{containers: [{name: main, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: B, valueFrom: {secretKeyRef: {name: new, key: k}}}]}]}",
		},
		"no name at all, which fails the driver": {
			config: "secretAsEnv: [{keyToEnv: [{secretKey: k, envVar: A}]}, {secretNameParameter: {runtimeValue: {constant: ''}}, keyToEnv: [{secretKey: k, envVar: A}]}, {secretNameParameter: {runtimeValue: {constant: 7}}, keyToEnv: [{secretKey: k, envVar: A}]}]",
			want:   "{containers: [{name: main}]}",
		},
		"null, which skips the entry": {
			config: "secretAsEnv: [{secretNameParameter: {componentInputParameter: none}, keyToEnv: [{secretKey: k, envVar: A}]}]\nsecretAsVolume: [{secretNameParameter: {componentInputParameter: none}, mountPath: /s}]\nimagePullSecret: [{secretNameParameter: {componentInputParameter: none}}]\nconfigMapAsEnv: null\npvcMount: [null]",
			want:   "{containers: [{name: main}]}",
		},
		"a name from the pipeline's input": {
			config: "secretAsVolume: [{secretNameParameter: {componentInputParameter: whose}, mountPath: /s}]",
			want:   "{containers: [{name: main, volumeMounts: [{name: ours, mountPath: /s}]}], volumes: [{name: ours, secret: {secretName: ours, optional: false}}]}",
		},
		"a name from another task": {
			config: "secretAsVolume: [{secretNameParameter: {taskOutputParameter: {producerTask: make, outputParameterKey: name}}, mountPath: /s, optional: true}]",
			want:   "{containers: [{name: main, volumeMounts: [{name: '{{tasks.make.outputs.parameters.name}}', mountPath: /s}]}], volumes: [{name: '{{tasks.make.outputs.parameters.name}}', secret: {secretName: '{{tasks.make.outputs.parameters.name}}', optional: true}}]}",
		},
		"a name from an input that nobody knows": {
			config: "imagePullSecret: [{secretNameParameter: {componentInputParameter: other}}, {secretName: old}]",
			want:   "{containers: [{name: main}], imagePullSecrets: [{name: '{{inputs.parameters.other}}'}, {name: old}]}",
		},
		"a name that the driver fills in": {
			task:   "taskInfo: {name: train}",
			config: "imagePullSecret: [{secretNameParameter: {runtimeValue: {constant: '{{$.pipeline_job_name}}'}}}, {secretNameParameter: {runtimeValue: {constant: '{{$.pipeline_task_uuid}}'}}}, {secretNameParameter: {runtimeValue: {constant: 'at {{$.workspace_path}}'}}}]",
			want:   "{containers: [{name: main}], imagePullSecrets: [{name: '{{$.pipeline_job_name}}'}, {name: '{{$.pipeline_task_uuid}}'}, {name: at /kfp-workspace}]}",
		},
		"ConfigMaps": {
			config: "configMapAsEnv: [{configMapName: c, optional: true, keyToEnv: [{configMapKey: k, envVar: A}]}]\nconfigMapAsVolume: [{configMapNameParameter: {runtimeValue: {constant: d}}, mountPath: /d}]",
			want:   "{containers: [{name: main, env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k, optional: true}}}], volumeMounts: [{name: d, mountPath: /d}]}], volumes: [{name: d, configMap: {name: d, optional: false}}]}",
		},
		"claims, in all their forms": {
			config: "pvcMount: [{pvcNameParameter: {runtimeValue: {constant: a}}, mountPath: /a, subPath: x}, {constant: b, mountPath: /b}, {componentInputParameter: whose, mountPath: /c}, {taskOutputParameter: {producerTask: make, outputParameterKey: name}, mountPath: /d}]",
			want: "{containers: [{name: main, volumeMounts: [{name: a, mountPath: /a, subPath: x}, {name: b, mountPath: /b}, {name: ours, mountPath: /c}, {name: '{{tasks.make.outputs.parameters.name}}', mountPath: /d}]}], " +
				"volumes: [{name: a, persistentVolumeClaim: {claimName: a}}, {name: b, persistentVolumeClaim: {claimName: b}}, {name: ours, persistentVolumeClaim: {claimName: ours}}, {name: '{{tasks.make.outputs.parameters.name}}', persistentVolumeClaim: {claimName: '{{tasks.make.outputs.parameters.name}}'}}]}",
		},
		"the pod's own volumes, a deadline, fields": {
			config: "genericEphemeralVolume: [{volumeName: e, mountPath: /e, accessModes: [ReadWriteOnce], size: 1Gi, defaultStorageClass: true}]\nemptyDirMounts: [{volumeName: m, mountPath: /m, medium: Memory}]\nactiveDeadlineSeconds: '60'\nfieldPathAsEnv: [{name: F, fieldPath: metadata.name}]",
			want: "{activeDeadlineSeconds: 60, containers: [{name: main, env: [{name: F, valueFrom: {fieldRef: {fieldPath: metadata.name}}}], volumeMounts: [{name: e, mountPath: /e}, {name: m, mountPath: /m}]}], " +
				"volumes: [{name: e, ephemeral: {volumeClaimTemplate: {metadata: {}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}, {name: m, emptyDir: {medium: Memory}}]}",
		},
		"the author's init containers": {
			config: "initContainers: [{name: i, image: a, command: [b], args: [c], env: [{name: V, value: v}], volumeMounts: [{volumeName: m, mountPath: /m}], restartPolicy: Always, resources: {requests: {cpu: 1}, limits: {memory: 1Gi, odd: x}}}]",
			want:   "{containers: [{name: main}], initContainers: [{name: i, image: a, command: [b], args: [c], env: [{name: V, value: v}], volumeMounts: [{name: m, mountPath: /m}], restartPolicy: Always, resources: {limits: {memory: 1Gi}}}]}",
		},
		"handed on to a job elsewhere": {
			component: "taskConfigPassthroughs: [{field: ENV}, {field: KUBERNETES_VOLUMES, applyToTask: true}, {field: RESOURCES}]",
			container: "image: a\nenv: [{name: V, value: v}]\nresources: {resourceCpuLimit: '1'}",
			config:    "secretAsEnv: [{secretName: s, keyToEnv: [{secretKey: k, envVar: A}]}]\nsecretAsVolume: [{secretName: s, mountPath: /s}]",
			want:      "{containers: [{name: main, image: a, volumeMounts: [{name: s, mountPath: /s}]}], volumes: [{name: s, secret: {secretName: s, optional: false}}]}",
		},
		"handed on by number": {
			component: "taskConfigPassthroughs: [{field: 2}]",
			config:    "secretAsEnv: [{secretName: s, keyToEnv: [{secretKey: k, envVar: A}]}]",
			want:      "{containers: [{name: main}]}",
		},
		"resources": {
			container: "image: '{{$.inputs.parameters[''x'']}}'\nresources: {resourceCpuLimit: '2', cpuLimit: 9, resourceMemoryRequest: 1Gi, accelerator: {resourceType: nvidia.com/gpu, resourceCount: '1'}}",
			want:      "{containers: [{name: main, resources: {limits: {cpu: '2', nvidia.com/gpu: '1'}, requests: {memory: 1Gi}}}]}",
		},
		"resources in their deprecated form": {
			container: "resources: {cpuLimit: 0.5, memoryLimit: 1.5, cpuRequest: 0, memory_request: 1, accelerator: {type: nvidia.com/gpu, count: '2'}}",
			want:      "{containers: [{name: main, resources: {limits: {cpu: 500m, memory: 1500M, nvidia.com/gpu: '2'}, requests: {memory: 1G}}}]}",
		},
		"resources from inputs of the step": {
			task:      "inputs: {parameters: {cpu: {componentInputParameter: cores}, memory: {taskOutputParameter: {producerTask: size, outputParameterKey: gi}}, number: {runtimeValue: {constant: 2}}, part: {componentInputParameter: cores, parameterExpressionSelector: 'parseJson(string_value)[0]'}}}",
			component: "inputDefinitions: {parameters: {number: {parameterType: STRING}}}",
			container: "resources: {resourceCpuLimit: '{{$.inputs.parameters[''cpu'']}}', resourceMemoryLimit: '{{$.inputs.parameters[''memory'']}}', resourceCpuRequest: '{{$.inputs.parameters[''number'']}}', resourceMemoryRequest: '{{$.inputs.parameters[''part'']}}', accelerator: {resourceType: '{{$.inputs.parameters[''missing'']}}', resourceCount: '1'}}",
			want:      "{containers: [{name: main, resources: {limits: {cpu: 500m}, requests: {cpu: '2'}}}]}",
			undecided: "main limits.memory, main requests.memory, main limits",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			dag := root(t, &r, `{"whose": "ours", "none": null, "cores": "500m"}`)
			p := patchOf(t, &r, dag, test.task, test.component, test.container, test.config)
			var want corev1.PodSpec
			if err := yaml.UnmarshalStrict([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(p.Spec)
			expected, _ := json.Marshal(want)
			if string(got) != string(expected) {
				t.Errorf("patch\n  %s\nwant\n  %s", got, expected)
			}
			var undecided []string
			for _, u := range p.RuntimeResources {
				undecided = append(undecided, u.Container+" "+u.Resource)
			}
			if strings.Join(undecided, ", ") != test.undecided {
				t.Errorf("undecided: %v, want %v", undecided, test.undecided)
			}
		})
	}
}

// TestDAGs follows a name through the inputs of DAGs within DAGs, and through loops.
func TestDAGs(t *testing.T) {
	const config = "imagePullSecret: [{secretNameParameter: {componentInputParameter: name}}]"
	for name, test := range map[string]struct {
		component, task string
		iteration       string
		want            string // the name
		count           string // of the iterations
	}{
		"an argument": {
			task: "inputs: {parameters: {name: {componentInputParameter: whose}}}", want: "ours",
		},
		"a constant": {
			task: "inputs: {parameters: {name: {runtimeValue: {constant: fixed}}}}", want: "fixed",
		},
		"the deprecated form of a constant, which the driver does not take": {
			task: "inputs: {parameters: {name: {runtimeValue: {constantValue: {stringValue: fixed}}}}}", want: "{{...}}",
		},
		"a default": {
			component: "inputDefinitions: {parameters: {name: {defaultValue: usual, isOptional: true}}}", want: "usual",
		},
		"an argument before a default": {
			component: "inputDefinitions: {parameters: {name: {defaultValue: usual, isOptional: true}}}",
			task:      "inputs: {parameters: {name: {componentInputParameter: whose}}}", want: "ours",
		},
		"optional and not given": {
			component: "input_definitions: {parameters: {name: {is_optional: true}}}", want: "",
		},
		"an output": {
			task: "inputs: {parameters: {name: {taskOutputParameter: {producerTask: a, outputParameterKey: b}}}}", want: "{{tasks.a.outputs.parameters.b}}",
		},
		"a part of a value": {
			task: "inputs: {parameters: {name: {componentInputParameter: whose, parameterExpressionSelector: x}}}", want: "{{inputs.parameters.name}}",
		},
		"not passed on": {want: "{{inputs.parameters.name}}"},
		"a loop over a list": {
			task: "parameterIterator: {itemInput: name, items: {raw: '[\"a\", \"b\"]'}}", iteration: "1", want: "b", count: "2",
		},
		"a loop over an input": {
			task:      "inputs: {parameters: {list: {componentInputParameter: names}}}\nparameterIterator: {itemInput: name, items: {inputParameter: list}}",
			iteration: "0", want: "x", count: "2",
		},
		"a loop over the text of a list": {
			task:      "inputs: {parameters: {list: {componentInputParameter: text}}}\nparameterIterator: {itemInput: name, items: {inputParameter: list}}",
			iteration: "0", want: "y", count: "1",
		},
		"a loop over an output": {
			task:      "inputs: {parameters: {list: {taskOutputParameter: {producerTask: a, outputParameterKey: b}}}}\nparameterIterator: {itemInput: name, items: {inputParameter: list}}",
			iteration: "{{item}}", want: "{{inputs.parameters.name}}",
		},
		"the list itself, in a round": {
			task:      "inputs: {parameters: {name: {componentInputParameter: names}}}\nparameterIterator: {itemInput: item, items: {inputParameter: name}}",
			iteration: "0", want: "{{inputs.parameters.name}}", count: "2",
		},
		"an item that becomes a text": {
			component: "inputDefinitions: {parameters: {name: {parameterType: STRING}}}",
			task:      "parameterIterator: {itemInput: name, items: {raw: '[1, 2]'}}", iteration: "1", want: "2", count: "2",
		},
		"a round that there is not": {
			task: "parameterIterator: {itemInput: name, items: {raw: '[\"a\"]'}}", iteration: "1", want: "{{inputs.parameters.name}}", count: "1",
		},
		"an empty loop": {
			task: "parameterIterator: {itemInput: name, items: {raw: '[]'}}", iteration: "0", want: "{{inputs.parameters.name}}", count: "0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			dag := root(t, &r, `{"whose": "ours", "names": ["x", "y"], "text": "[\"y\"]"}`)
			args := []string{"--type", "DAG", "--task", inJSON(t, test.task), "--component", inJSON(t, test.component)}
			out := drive(t, &r, append(args, "--dag_execution_id", dag)...)
			if out["iteration-count"] != test.count {
				t.Errorf("%q iterations, want %q", out["iteration-count"], test.count)
			}
			if test.iteration != "" {
				out = drive(t, &r, append(args, "--dag_execution_id", out["execution-id"], "--iteration_index", test.iteration)...)
			}
			var got string
			if secrets := patchOf(t, &r, out["execution-id"], "", "", "", config).Spec.ImagePullSecrets; len(secrets) > 0 {
				got = secrets[0].Name
			}
			if got != test.want {
				t.Errorf("the name is %q, want %q", got, test.want)
			}
		})
	}
}

// TestProgram has the text that a step executes, with what may tell it what to do.
func TestProgram(t *testing.T) {
	var r Run
	dag := root(t, &r, `{"cmd": "kubectl create"}`)
	for name, test := range map[string]struct {
		args []string
		want string
		open bool
	}{
		"commands":                     {[]string{"--container", `{"command": ["a", "b"], "args": ["c"], "env": [{"name": "d"}]}`, "--kubernetes_config", `{"secretAsEnv": [{"secretName": "e"}]}`}, "a b c", false},
		"the author's init containers": {[]string{"--container", `{"command": ["a"]}`, "--kubernetes_config", `{"initContainers": [{"command": ["b"], "args": ["c"], "env": [{"name": "d", "value": "e"}]}]}`}, "a b c e", false},
		"inputs":                       {[]string{"--container", `{"command": ["a"]}`, "--task", `{"inputs": {"parameters": {"x": {"componentInputParameter": "cmd"}}}}`}, "a kubectl create", false},
		"defaults":                     {[]string{"--container", `{"command": ["a"]}`, "--component", `{"inputDefinitions": {"parameters": {"x": {"defaultValue": 7}}}}`}, "a 7", false},
		"a task that is not known":     {[]string{"--container", `{"command": ["a"]}`, "--task", "{{tasks.x.outputs.result}}"}, "a", true},
		"inputs that are not known":    {[]string{"--container", `{"command": ["a"]}`, "--task", `{"inputs": {"parameters": {"x": {"componentInputParameter": "other"}}}}`}, "a", true},
	} {
		commands, values, open, ok := r.Program(append([]string{"--type", "CONTAINER", "--dag_execution_id", dag}, test.args...))
		if program := strings.TrimSpace(commands + " " + values); program != test.want || open != test.open || !ok {
			t.Errorf("%s: %q, %v, %v", name, program, open, ok)
		}
	}
	if _, _, _, ok := r.Program([]string{"--type", "importer"}); ok {
		t.Error("an importer is taken for a driver")
	}
}

// TestDriver has what drivers put out beside patches.
func TestDriver(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want map[string]string
	}{
		"no driver":            {[]string{"--type", "importer"}, nil},
		"no arguments":         {nil, nil},
		"an unknown kind":      {[]string{"--type", "{{inputs.parameters.driver-type}}"}, nil},
		"a step":               {[]string{"--type=CONTAINER", "--task", `{"taskInfo": {"name": "a"}}`}, map[string]string{"cached-decision": "false", "condition": "nil", "pod-spec-patch": "kfp-preflight.dev/patch-1"}},
		"a step on condition":  {[]string{"--type", "CONTAINER", "--task", `{"triggerPolicy": {"condition": "a == b"}}`}, map[string]string{"cached-decision": "false", "pod-spec-patch": "kfp-preflight.dev/patch-1"}},
		"the run":              {[]string{"--type", "ROOT_DAG"}, map[string]string{"condition": "nil", "execution-id": "1", "iteration-count": "0"}},
		"a DAG":                {[]string{"--type", "DAG", "--component", "{}"}, map[string]string{"condition": "nil", "execution-id": "1"}},
		"what is no JSON":      {[]string{"--type", "DAG", "--component", "no JSON"}, map[string]string{}},
		"a task known later":   {[]string{"--type", "CONTAINER", "--task", "{{tasks.x.outputs.result}}"}, map[string]string{}},
		"a DAG of unknown DAG": {[]string{"--type", "DAG", "--dag_execution_id", "99"}, map[string]string{"condition": "nil", "execution-id": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			if got := r.Driver(append(test.args, outputFlags...)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	// A hit of the cache leaves the step out, where the configuration counts on it and the step may be cached.
	for task, want := range map[string]string{`{"cachingOptions": {"enableCache": true}}`: "", `{"cachingOptions": {}}`: "false", "{}": "false"} {
		hit := Run{CacheMayHit: true}
		if got := drive(t, &hit, "--type", "CONTAINER", "--task", task)["cached-decision"]; got != want {
			t.Errorf("where the cache may hit, a step with %s has the decision %q, want %q", task, got, want)
		}
	}
	// What is recorded is bounded.
	var large Run
	dag := root(t, &large, `{"text": "`+strings.Repeat("x", maxBytes/2)+`"}`)
	for range 3 {
		drive(t, &large, "--type", "DAG", "--dag_execution_id", dag, "--task", `{"inputs": {"parameters": {"text": {"componentInputParameter": "text"}}}}`)
	}
	if got := drive(t, &large, "--type", "CONTAINER", "--dag_execution_id", dag); len(got) > 0 {
		t.Errorf("beyond the bound a driver still puts out %v", got)
	}
	// Equal steps have equal patches, and equal DAGs equal IDs, so that what follows from them is looked at once.
	var r Run
	if a, b := root(t, &r, `{"a": 1}`), root(t, &r, `{"a": 1}`); a != b {
		t.Errorf("equal inputs are recorded as %s and %s", a, b)
	}
	if a, b := root(t, &r, `{"a": 1}`), root(t, &r, `{"a": 2}`); a == b {
		t.Errorf("different inputs are recorded as %s", a)
	}
}
