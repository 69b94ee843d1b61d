package kfp

import (
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
	importer          = "system-importer"
)

// Driver is the template of the pods that prepare a step or a group of steps, without what they are told.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/container.go driverResources.
func Driver() wfv1.Template {
	return wfv1.Template{Container: &corev1.Container{
		Image: "kfp-driver", Command: []string{"driver"}, Resources: amounts("100m", "64Mi", "500m", "512Mi"),
	}}
}

// Step is the template of the pods of a step, before its driver patches them.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/container.go addContainerExecutorTemplate.
func Step() wfv1.Template {
	return wfv1.Template{
		Container: &corev1.Container{Image: "overridden-by-the-driver", Command: []string{"overridden-by-the-driver"}},
		InitContainers: []wfv1.UserContainer{{Container: corev1.Container{
			Name: "kfp-launcher", Image: "kfp-launcher", Command: []string{"launcher-v2"}, Resources: amounts("100m", "", "500m", "256Mi"),
		}}},
	}
}

// amounts are requests and limits of cpu and memory; an empty one is not set.
func amounts(cpu, memory, cpuLimit, memoryLimit string) (r corev1.ResourceRequirements) {
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

// drivers are the templates of the drivers with what they are told, as far as anybody looks at it.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/dag.go addDAGDriverTemplate, container.go
// addContainerDriverTemplate, importer.go addImporterTemplate.
func drivers() []wfv1.Template {
	input := func(name string) string { return "{{inputs.parameters." + name + "}}" }
	told := func(name string, flags, outputs []string, defaults map[string]string) wfv1.Template {
		t := Driver()
		t.Name = name
		for _, flag := range flags {
			parameter := snakeToDash(flag)
			p := wfv1.Parameter{Name: parameter}
			if value, ok := defaults[parameter]; ok {
				p.Default = wfv1.AnyStringPtr(value)
			}
			t.Inputs.Parameters = append(t.Inputs.Parameters, p)
			name := flag
			if flag == "driver_type" {
				name = "type"
			}
			if flag == "parent_dag_id" {
				name = "dag_execution_id"
			}
			t.Container.Args = append(t.Container.Args, "--"+name, input(parameter))
		}
		for _, flag := range outputs {
			parameter := snakeToDash(flag)
			t.Container.Args = append(t.Container.Args, "--"+flag+"_path", "{{outputs.parameters."+parameter+".path}}")
			t.Outputs.Parameters = append(t.Outputs.Parameters, wfv1.Parameter{Name: parameter, ValueFrom: &wfv1.ValueFrom{Path: "/tmp/outputs/" + parameter}})
		}
		return t
	}
	dag := told(dagDriver, []string{"driver_type", "parent_dag_id", "component", "task", "task_name", "runtime_config", "iteration_index"},
		[]string{"execution_id", "iteration_count", "condition"},
		map[string]string{"runtime-config": "", "task": "", "task-name": "", "parent-dag-id": "0", "iteration-index": "-1", "driver-type": "DAG"})
	container := told(containerDriver, []string{"parent_dag_id", "component", "task", "task_name", "container", "iteration_index", "kubernetes_config"},
		[]string{"cached_decision", "pod_spec_patch", "condition"},
		map[string]string{"iteration-index": "-1", "kubernetes-config": ""})
	container.Container.Args = append([]string{"--type", "CONTAINER"}, container.Container.Args...)
	imports := told(importer, []string{"task", "component", "importer", "parent_dag_id"}, nil, nil)
	imports.Container.Command, imports.Container.Args = []string{"launcher-v2"}, []string{"--executor_type", "importer"}
	return []wfv1.Template{dag, container, imports}
}

// steps are the templates of a step: what runs unless the cache has its result, and its pod.
func steps() []wfv1.Template {
	patch := wfv1.Parameter{Name: "pod-spec-patch"}
	executor := wfv1.Template{
		Name:   containerExecutor,
		Inputs: wfv1.Inputs{Parameters: []wfv1.Parameter{patch, {Name: "cached-decision", Default: wfv1.AnyStringPtr("false")}}},
		DAG: &wfv1.DAGTemplate{Tasks: []wfv1.DAGTask{{
			Name: "executor", Template: containerImpl, When: "{{inputs.parameters.cached-decision}} != true",
			Arguments: arguments("pod-spec-patch", "{{inputs.parameters.pod-spec-patch}}"),
		}}},
	}
	impl := Step()
	impl.Name, impl.Inputs.Parameters, impl.PodSpecPatch = containerImpl, []wfv1.Parameter{patch}, "{{inputs.parameters.pod-spec-patch}}"
	return []wfv1.Template{executor, impl}
}

// arguments are names with their values.
func arguments(pairs ...string) (a wfv1.Arguments) {
	for i := 0; i+1 < len(pairs); i += 2 {
		a.Parameters = append(a.Parameters, wfv1.Parameter{Name: pairs[i], Value: wfv1.AnyStringPtr(pairs[i+1])})
	}
	return a
}
