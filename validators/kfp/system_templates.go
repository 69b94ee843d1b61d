package kfp

import (
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Names of the templates that KFP's compiler adds around the components of a pipeline.
const (
	dagDriver         = "system-dag-driver"
	containerDriver   = "system-container-driver"
	containerExecutor = "system-container-executor"
	containerImpl     = "system-container-impl"
	importerTemplate  = "system-importer"
)

// DriverTemplate returns the template of the pods of drivers, without inputs and arguments.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/container.go driverResources.
func DriverTemplate() wfv1.Template {
	return wfv1.Template{Container: &corev1.Container{
		Image: "kfp-driver", Command: []string{"driver"}, Resources: computeResources("100m", "64Mi", "500m", "512Mi"),
	}}
}

// StepTemplate returns the template of the pods of steps, which their drivers patch.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/container.go addContainerExecutorTemplate.
func StepTemplate() wfv1.Template {
	return wfv1.Template{
		Container: &corev1.Container{Image: "overridden-by-the-driver", Command: []string{"overridden-by-the-driver"}},
		InitContainers: []wfv1.UserContainer{{Container: corev1.Container{
			Name: "kfp-launcher", Image: "kfp-launcher", Command: []string{"launcher-v2"},
			Resources: computeResources("100m", "", "500m", "256Mi"),
		}}},
	}
}

// computeResources returns requests and limits of cpu and memory. An empty amount is not set.
func computeResources(cpu, memory, cpuLimit, memoryLimit string) (r corev1.ResourceRequirements) {
	r.Requests, r.Limits = corev1.ResourceList{}, corev1.ResourceList{}
	for _, a := range []struct {
		list   corev1.ResourceList
		name   corev1.ResourceName
		amount string
	}{
		{r.Requests, corev1.ResourceCPU, cpu}, {r.Requests, corev1.ResourceMemory, memory},
		{r.Limits, corev1.ResourceCPU, cpuLimit}, {r.Limits, corev1.ResourceMemory, memoryLimit},
	} {
		if a.amount != "" {
			a.list[a.name] = resource.MustParse(a.amount)
		}
	}
	return r
}

// driverTemplates returns the templates of the drivers and of the importer, with the inputs, outputs and arguments that this
// package reads.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/dag.go addDAGDriverTemplate, container.go
// addContainerDriverTemplate, importer.go addImporterTemplate.
func driverTemplates() []wfv1.Template {
	dag := driverTemplate(dagDriver,
		[]string{"driver_type", "parent_dag_id", "component", "task", "task_name", "runtime_config", "iteration_index"},
		[]string{"execution_id", "iteration_count", "condition"},
		map[string]string{
			"runtime-config": "", "task": "", "task-name": "", "parent-dag-id": "0", "iteration-index": "-1", "driver-type": "DAG",
		})
	container := driverTemplate(containerDriver,
		[]string{"parent_dag_id", "component", "task", "task_name", "container", "iteration_index", "kubernetes_config"},
		[]string{"cached_decision", "pod_spec_patch", "condition"},
		map[string]string{"iteration-index": "-1", "kubernetes-config": ""})
	container.Container.Args = append([]string{"--type", "CONTAINER"}, container.Container.Args...)
	importer := driverTemplate(importerTemplate, []string{"task", "component", "importer", "parent_dag_id"}, nil, nil)
	importer.Container.Command, importer.Container.Args = []string{"launcher-v2"}, []string{"--executor_type", "importer"}
	return []wfv1.Template{dag, container, importer}
}

// driverTemplate returns the template of a driver. inputs and outputs are the names of its parameters in snake_case, and
// defaults maps their names in kebab-case to default values.
func driverTemplate(name string, inputs, outputs []string, defaults map[string]string) wfv1.Template {
	t := DriverTemplate()
	t.Name = name
	for _, input := range inputs {
		parameter := wfv1.Parameter{Name: snakeToKebab(input)}
		if value, ok := defaults[parameter.Name]; ok {
			parameter.Default = wfv1.AnyStringPtr(value)
		}
		t.Inputs.Parameters = append(t.Inputs.Parameters, parameter)
		flag := input
		switch input {
		case "driver_type":
			flag = "type"
		case "parent_dag_id":
			flag = "dag_execution_id"
		}
		t.Container.Args = append(t.Container.Args, "--"+flag, inputTag(parameter.Name))
	}
	for _, output := range outputs {
		name := snakeToKebab(output)
		t.Container.Args = append(t.Container.Args, "--"+output+"_path", "{{outputs.parameters."+name+".path}}")
		parameter := wfv1.Parameter{Name: name, ValueFrom: &wfv1.ValueFrom{Path: "/tmp/outputs/" + name}}
		t.Outputs.Parameters = append(t.Outputs.Parameters, parameter)
	}
	return t
}

// executorTemplates returns the templates of a step: the DAG that skips the step if its result is cached, and the step's pod.
func executorTemplates() []wfv1.Template {
	patch := wfv1.Parameter{Name: "pod-spec-patch"}
	executor := wfv1.Template{
		Name:   containerExecutor,
		Inputs: wfv1.Inputs{Parameters: []wfv1.Parameter{patch, {Name: "cached-decision", Default: wfv1.AnyStringPtr("false")}}},
		DAG: &wfv1.DAGTemplate{Tasks: []wfv1.DAGTask{{
			Name: "executor", Template: containerImpl, When: inputTag("cached-decision") + " != true",
			Arguments: arguments("pod-spec-patch", inputTag("pod-spec-patch")),
		}}},
	}
	impl := StepTemplate()
	impl.Name, impl.PodSpecPatch = containerImpl, inputTag("pod-spec-patch")
	impl.Inputs.Parameters = []wfv1.Parameter{patch}
	return []wfv1.Template{executor, impl}
}

// arguments returns arguments from alternating names and values of parameters.
func arguments(namesAndValues ...string) (a wfv1.Arguments) {
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		p := wfv1.Parameter{Name: namesAndValues[i], Value: wfv1.AnyStringPtr(namesAndValues[i+1])}
		a.Parameters = append(a.Parameters, p)
	}
	return a
}

func inputTag(name string) string             { return "{{inputs.parameters." + name + "}}" }
func workflowParameterTag(name string) string { return "{{workflow.parameters." + name + "}}" }
func taskOutputTag(task, name string) string {
	return "{{tasks." + task + ".outputs.parameters." + name + "}}"
}
func snakeToKebab(name string) string { return strings.ReplaceAll(name, "_", "-") }
