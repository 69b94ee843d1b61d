package forecast

import (
	"errors"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// BaselineRun is the plainest run of its kind.
type BaselineRun struct {
	// Kind of the run, for a reader.
	Kind string
	// Pods of the run. None of their authors sets anything.
	Pods []Pod
}

// The kinds of run that there are. The first pod of a run of KFP v2 is a driver's.
const KFPv1, KFPv2 = "Argo and KFP v1", "KFP v2"

// Baselines are the plainest runs that a pipeline can have under the given controller configuration: of a plain step, as
// hand-written Workflows and KFP v1 have it, and of KFP v2, with its driver and a step. What the cluster refuses of a run's
// pods, it refuses of every run of the kind whose author has not set everything by hand, and of a driver in any case.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/argo.go, container.go.
func Baselines(controller Controller) ([]BaselineRun, error) {
	driver := wfv1.Template{Container: &corev1.Container{Resources: amounts("100m", "64Mi", "500m", "512Mi")}}
	launcher := wfv1.UserContainer{Container: corev1.Container{Name: "kfp-launcher", Resources: amounts("100m", "", "500m", "256Mi")}}
	step := wfv1.Template{Container: &corev1.Container{}, InitContainers: []wfv1.UserContainer{launcher}}
	var out []BaselineRun
	for _, run := range []struct {
		kind      string
		templates []wfv1.Template
	}{
		{KFPv1, []wfv1.Template{{Container: &corev1.Container{}}}},
		{KFPv2, []wfv1.Template{driver, step}},
	} {
		baseline := BaselineRun{Kind: run.kind}
		for _, t := range run.templates {
			t.Name = "step"
			wf := &wfv1.Workflow{Spec: wfv1.WorkflowSpec{Entrypoint: t.Name, Templates: []wfv1.Template{t}}}
			f := Workflow(wf, onlyController(controller), Options{})
			if len(f.Pods) == 0 {
				return nil, errors.New("no pipeline pod can be worked out under this controller configuration: " + f.Gaps[0].Reason)
			}
			baseline.Pods = append(baseline.Pods, f.Pods[0])
		}
		out = append(out, baseline)
	}
	return out, nil
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

// onlyController are the Facts of a cluster with nothing but a workflow-controller.
type onlyController Controller

// Controller implements Facts.
func (c onlyController) Controller() (Controller, error) { return Controller(c), nil }

// WorkflowTemplate implements Facts: there are none.
func (onlyController) WorkflowTemplate(string, string) (*wfv1.WorkflowTemplate, error) {
	return nil, nil
}

// ClusterWorkflowTemplate implements Facts: there are none.
func (onlyController) ClusterWorkflowTemplate(string) (*wfv1.ClusterWorkflowTemplate, error) {
	return nil, nil
}

// ConfigMap implements Facts: there are none.
func (onlyController) ConfigMap(string, string) (*corev1.ConfigMap, error) { return nil, nil }

// ServiceAccount implements Facts: there are none.
func (onlyController) ServiceAccount(string, string) (*corev1.ServiceAccount, error) { return nil, nil }
