package forecast

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestAssembled checks a whole pod under a controller configuration that customizes all containers.
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
		"persistence": "not: [read", // keys that do not shape pods may hold anything
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
  inputs:
    parameters:
    - {name: whose, default: '{{workflow.parameters.who}}'}
    - {name: ignored, default: c, valueFrom: {configMapKeyRef: {name: a, key: b}}}
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
		t.Error("a patch with an unknown parameter counts as known")
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

func containerNames(containers []corev1.Container) string {
	var out []string
	for _, c := range containers {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

// TestContainers lists the containers of each type of template.
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
