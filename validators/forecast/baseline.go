package forecast

import (
	"fmt"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// Baseline is the plainest pod that a pipeline can have under the given controller configuration: one step that sets
// nothing, with the containers that Argo adds. What the cluster refuses of it, it refuses of every pipeline whose author
// has not set everything by hand.
func Baseline(controller Controller) (Pod, error) {
	wf := &wfv1.Workflow{Spec: wfv1.WorkflowSpec{
		Entrypoint: "step",
		Templates:  []wfv1.Template{{Name: "step", Container: &corev1.Container{}}},
	}}
	f := Workflow(wf, onlyController(controller), Options{})
	if len(f.Pods) == 0 {
		return Pod{}, fmt.Errorf("no pipeline pod can be worked out under this controller configuration: %s", f.Gaps[0].Reason)
	}
	return f.Pods[0], nil
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
