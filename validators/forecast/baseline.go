package forecast

import (
	"errors"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
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
func Baselines(controller ControllerConfig) ([]BaselineRun, error) {
	var out []BaselineRun
	for _, run := range []struct {
		kind      string
		templates []wfv1.Template
	}{
		{KFPv1, []wfv1.Template{{Container: &corev1.Container{}}}},
		{KFPv2, []wfv1.Template{kfp.Driver(), kfp.Step()}},
	} {
		baseline := BaselineRun{Kind: run.kind}
		for _, t := range run.templates {
			t.Name = "step"
			wf := &wfv1.Workflow{Spec: wfv1.WorkflowSpec{Entrypoint: t.Name, Templates: []wfv1.Template{t}}}
			f := Workflow(wf, controllerOnlyFacts(controller), Options{})
			if len(f.Pods) == 0 {
				return nil, errors.New("no pipeline pod can be worked out under this controller configuration: " + f.Gaps[0].Reason)
			}
			baseline.Pods = append(baseline.Pods, f.Pods[0])
		}
		out = append(out, baseline)
	}
	return out, nil
}

// controllerOnlyFacts are the Facts of a cluster with nothing but a workflow-controller.
type controllerOnlyFacts ControllerConfig

// ControllerConfig implements Facts.
func (c controllerOnlyFacts) ControllerConfig(string) (ControllerConfig, error) {
	return ControllerConfig(c), nil
}

// WorkflowTemplate implements Facts: there are none.
func (controllerOnlyFacts) WorkflowTemplate(string, string) (*wfv1.WorkflowTemplate, error) {
	return nil, nil
}

// ClusterWorkflowTemplate implements Facts: there are none.
func (controllerOnlyFacts) ClusterWorkflowTemplate(string) (*wfv1.ClusterWorkflowTemplate, error) {
	return nil, nil
}

// ConfigMap implements Facts: there are none.
func (controllerOnlyFacts) ConfigMap(string, string) (*corev1.ConfigMap, error) { return nil, nil }

// ServiceAccount implements Facts: there are none.
func (controllerOnlyFacts) ServiceAccount(string, string) (*corev1.ServiceAccount, error) {
	return nil, nil
}
