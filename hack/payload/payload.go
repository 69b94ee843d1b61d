// Package payload generates Workflows and Profiles of known size, in the style that Kubeflow Pipelines produces.
// Benchmarks and the load test share them, so that their results are comparable.
package payload

import (
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// Payload is an object to review, in two variants.
type Payload struct {
	// Name is small, medium, large, steps-COUNT, kfp-v2 or profile.
	Name string
	// Kind is the group, version and kind of the object.
	Kind metav1.GroupVersionKind
	// Path is the URL path on the webhook server.
	Path string
	// Allowed is the object as JSON. Denied is the same object with one mistake that a rule denies.
	Allowed, Denied []byte
	// Secrets are the names of the Secrets that the allowed object needs, each with the key "password".
	Secrets []string
}

// Namespace is the namespace of all objects, and the name of the Profile.
const Namespace = "team-a"

var (
	workflowKind = metav1.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Workflow"}
	profileKind  = metav1.GroupVersionKind{Group: "kubeflow.org", Version: "v1", Kind: "Profile"}
)

// All returns all payloads except Steps.
func All() []Payload {
	return []Payload{Small(), Medium(), Large(), KFPv2(), Profile()}
}

// Small returns a pipeline of three steps, about 8 KB, as compiled by the KFP SDK v1.
func Small() Payload { return workflow("small", 3, 1, 1500) }

// Medium returns a pipeline of 50 steps that need 10 Secrets, about 100 KB.
func Medium() Payload { return workflow("medium", 50, 10, 750) }

// Large returns a pipeline of 500 steps that need 50 Secrets, about 1 MB.
func Large() Payload { return workflow("large", 500, 50, 750) }

// Steps returns a pipeline of count minimal steps.
func Steps(count int) Payload { return workflow(fmt.Sprintf("steps-%d", count), count, 1, 0) }

func workflow(name string, steps, secrets, program int) Payload {
	p := Payload{Name: name, Kind: workflowKind, Path: "/validate-workflow"}
	for i := range secrets {
		p.Secrets = append(p.Secrets, fmt.Sprintf("credentials-%d", i))
	}
	p.Allowed = mustMarshal(pipelineV1(steps, p.Secrets, program))
	p.Denied = mustMarshal(pipelineV1(steps, append([]string{"nowhere"}, p.Secrets[1:]...), program))
	return p
}

type object = map[string]any

// pipelineV1 returns a Workflow as the KFP SDK v1 compiles it: a DAG in which each step takes the output of the
// previous one. program is the length of each step's source code; steps without a program are minimal.
func pipelineV1(steps int, secrets []string, program int) object {
	var tasks []object
	templates := []object{nil}
	for i := range steps {
		step := fmt.Sprintf("component-%d", i)
		task := object{"name": step, "template": step}
		inputs := object{}
		args := []string{"--output", "/tmp/outputs/Output/data"}
		if i > 0 {
			previous := fmt.Sprintf("component-%d", i-1)
			task["dependencies"] = []string{previous}
			task["arguments"] = object{"parameters": []object{{
				"name": previous + "-Output", "value": fmt.Sprintf("{{tasks.%s.outputs.parameters.%s-Output}}", previous, previous),
			}}}
			inputs["parameters"] = []object{{"name": previous + "-Output"}}
			args = append(args, "--input", "{{inputs.parameters."+previous+"-Output}}")
		}
		if program == 0 {
			delete(task, "arguments")
			inputs, args = nil, []string{"{{workflow.name}}"}
		}
		tasks = append(tasks, task)
		template := object{
			"name": step,
			"container": object{
				"image": "python:3.11", "args": args,
				"env": []object{{"name": "PASSWORD", "valueFrom": object{"secretKeyRef": object{"name": secrets[i%len(secrets)], "key": "password"}}}},
			},
		}
		if program > 0 {
			template["inputs"] = inputs
			template["outputs"] = object{"parameters": []object{{
				"name": step + "-Output", "valueFrom": object{"path": "/tmp/outputs/Output/data"},
			}}}
			container := template["container"].(object)
			container["command"] = []string{
				"sh", "-ec",
				"program_path=$(mktemp)\nprintf \"%s\" \"$0\" > \"$program_path\"\nexec python3 -u \"$program_path\" \"$@\"\n",
				strings.Repeat("def step(value: str) -> str:\n    return value\n\n", program/48),
			}
			container["resources"] = object{"requests": object{"cpu": "500m", "memory": "1Gi"}, "limits": object{"cpu": "1", "memory": "2Gi"}}
			template["metadata"] = object{
				"labels": object{
					"pipelines.kubeflow.org/kfp_sdk_version": "1.8.22", "pipelines.kubeflow.org/pipeline-sdk-type": "kfp",
					"pipelines.kubeflow.org/enable_caching": "true",
				},
				"annotations": object{
					"pipelines.kubeflow.org/component_spec": `{"implementation": {"container": ` +
						`{"args": ["--output", {"outputPath": "Output"}], "image": "python:3.11"}}, ` +
						`"name": "` + step + `", "outputs": [{"name": "Output", "type": "String"}]}`,
					"pipelines.kubeflow.org/component_ref": "{}",
				},
			}
		}
		templates = append(templates, template)
	}
	templates[0] = object{"name": "pipeline", "dag": object{"tasks": tasks}}
	return object{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
		"metadata": object{
			"name": "pipeline-x7k2p", "generateName": "pipeline-", "namespace": Namespace, "uid": "7a9d3a7e-1f0c-4c7e-8f47-6d1f6c3d8b11",
			"creationTimestamp": "2026-11-20T10:00:00Z", "generation": 1,
			"labels": object{
				"pipeline/runid": "7a9d3a7e-1f0c-4c7e-8f47-6d1f6c3d8b12", "pipelines.kubeflow.org/kfp_sdk_version": "1.8.22",
			},
			"annotations": object{
				"pipelines.kubeflow.org/run_name":                  "pipeline 2026-11-20",
				"pipelines.kubeflow.org/pipeline_compilation_time": "2026-11-20T09:59:00.000000",
				"pipelines.kubeflow.org/pipeline_spec": `{"inputs": [{"default": "gs://bucket/data.csv", "name": "source", ` +
					`"optional": true, "type": "String"}], "name": "pipeline"}`,
			},
		},
		"spec": object{
			"entrypoint": "pipeline", "serviceAccountName": "default-editor", "templates": templates,
			"arguments": object{"parameters": []object{{"name": "source", "value": "gs://bucket/data.csv"}}},
		},
	}
}

// KFPv2 returns a run of ten components, as compiled by the KFP SDK v2.
func KFPv2() Payload {
	p := Payload{Name: "kfp-v2", Kind: workflowKind, Path: "/validate-workflow", Secrets: []string{"credentials-0"}}
	p.Allowed, p.Denied = pipelineV2("credentials-0"), pipelineV2("nowhere")
	return p
}

// pipelineV2 returns the JSON of a Workflow as the KFP API server compiles it. Each step needs the Secret.
func pipelineV2(secret string) []byte {
	components, executors, tasks, configs := object{}, object{}, object{}, object{}
	for i := range 10 {
		name := fmt.Sprintf("step-%d", i)
		components["comp-"+name] = object{
			"executorLabel":     "exec-" + name,
			"outputDefinitions": object{"parameters": object{"Output": object{"parameterType": "STRING"}}},
		}
		executors["exec-"+name] = object{"container": object{
			"image": "python:3.11", "args": []string{"--executor_input", "{{$}}", "--function_to_execute", "step"},
			"command": []string{"sh", "-c", "\nif ! [ -x \"$(command -v pip)\" ]; then\n    python3 -m ensurepip || exit 1\nfi\n\"$0\" \"$@\"\n",
				strings.Repeat("def step(value: str) -> str:\n    return value\n\n", 10)},
			"resources": object{"cpuRequest": 0.5, "memoryRequest": 1.0, "resourceCpuRequest": "500m", "resourceMemoryRequest": "1Gi"},
		}}
		configs["exec-"+name] = object{"secretAsEnv": []object{{
			"secretName": secret, "keyToEnv": []object{{"secretKey": "password", "envVar": "PASSWORD"}},
		}}}
		task := object{
			"taskInfo": object{"name": name}, "componentRef": object{"name": "comp-" + name},
			"cachingOptions": object{"enableCache": true},
		}
		if i > 0 {
			task["dependentTasks"] = []string{fmt.Sprintf("step-%d", i-1)}
		}
		tasks[name] = task
	}
	spec := mustMarshal(object{
		"pipelineInfo": object{"name": "pipeline"}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.14.6",
		"root": object{"dag": object{"tasks": tasks}}, "components": components, "deploymentSpec": object{"executors": executors},
	})
	platforms := mustMarshal(object{"platforms": object{"kubernetes": object{"deploymentSpec": object{"executors": configs}}}})
	compiled, err := kfp.Compile(spec, platforms)
	if err != nil {
		panic(err) // the input is fixed
	}
	wf := compiled.Workflow
	wf.Name, wf.Namespace = "pipeline-x7k2p", Namespace
	wf.Labels = map[string]string{"pipeline/runid": "7a9d3a7e-1f0c-4c7e-8f47-6d1f6c3d8b12"}
	return mustMarshal(wf)
}

// Profile returns a Profile with a quota.
func Profile() Payload {
	newProfile := func(hard object) []byte {
		return mustMarshal(object{
			"apiVersion": "kubeflow.org/v1", "kind": "Profile",
			"metadata": object{"name": Namespace, "uid": "7a9d3a7e-1f0c-4c7e-8f47-6d1f6c3d8b11", "creationTimestamp": "2026-11-20T10:00:00Z"},
			"spec":     object{"owner": object{"kind": "User", "name": "user@example.com"}, "resourceQuotaSpec": object{"hard": hard}},
		})
	}
	return Payload{
		Name: "profile", Kind: profileKind, Path: "/validate-profile",
		Allowed: newProfile(object{"requests.storage": "500Gi", "requests.nvidia.com/gpu": "4"}),
		Denied:  newProfile(object{"cpu": "64", "memory": "256Gi"}),
	}
}

// Review returns the AdmissionReview that an API server sends when the object raw is created.
func (p Payload) Review(raw []byte) []byte {
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(raw, &meta); err != nil {
		panic(err)
	}
	resource := metav1.GroupVersionResource{Group: p.Kind.Group, Version: p.Kind.Version, Resource: strings.ToLower(p.Kind.Kind) + "s"}
	no := false
	return mustMarshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "705ab4f5-6393-11e8-b7cc-42010a800002", Kind: p.Kind, RequestKind: &p.Kind, Resource: resource, RequestResource: &resource,
			Name: meta.Name, Namespace: meta.Namespace, Operation: admissionv1.Create, DryRun: &no,
			Object:  runtime.RawExtension{Raw: raw},
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1","fieldManager":"kubectl-create"}`)},
		},
	})
}

func mustMarshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // the input is fixed
	}
	return raw
}
