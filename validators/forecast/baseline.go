package forecast

import (
	"errors"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// BaselineRun is the plainest possible run of a kind: its author sets no resources or anything
// else.
type BaselineRun struct {
	// Kind of the run, KFPv1 or KFPv2.
	Kind string
	// Pods of the run, in order.
	Pods []Pod
}

// Kinds of runs. The first pod of a KFP v2 run is a driver.
const KFPv1, KFPv2 = "Argo and KFP v1", "KFP v2"

// Baselines returns the plainest run of each kind under the given controller configuration: one
// with a plain step, as in hand-written Workflows and KFP v1, and one with a KFP v2 driver and
// step. If the cluster rejects a pod of a baseline, it rejects it in every run of that kind whose
// author does not set everything by hand, and a driver in any run. It returns an error if the
// configuration can't be applied.
func Baselines(controller ControllerConfig) ([]BaselineRun, error) {
	var out []BaselineRun
	for _, run := range []struct {
		kind      string
		templates []wfv1.Template
	}{
		{KFPv1, []wfv1.Template{{Container: &corev1.Container{}}}},
		{KFPv2, []wfv1.Template{kfp.DriverTemplate(), kfp.StepTemplate()}},
	} {
		baseline := BaselineRun{Kind: run.kind}
		for _, t := range run.templates {
			t.Name = "step"
			wf := &wfv1.Workflow{Spec: wfv1.WorkflowSpec{Entrypoint: t.Name, Templates: []wfv1.Template{t}}}
			f := Workflow(wf, controllerOnlyFacts(controller), Options{})
			if len(f.Pods) == 0 {
				return nil, errors.New("the pods of a pipeline can't be predicted under this controller configuration: " + f.Gaps[0].Reason)
			}
			baseline.Pods = append(baseline.Pods, f.Pods[0])
		}
		out = append(out, baseline)
	}
	return out, nil
}

// controllerOnlyFacts are the Facts of a cluster that has a workflow-controller and no other
// objects.
type controllerOnlyFacts ControllerConfig

// ControllerConfig implements Facts.
func (c controllerOnlyFacts) ControllerConfig(string) (ControllerConfig, error) {
	return ControllerConfig(c), nil
}

// WorkflowTemplate implements Facts. There are none.
func (controllerOnlyFacts) WorkflowTemplate(string, string) (*wfv1.WorkflowTemplate, error) {
	return nil, nil
}

// ClusterWorkflowTemplate implements Facts. There are none.
func (controllerOnlyFacts) ClusterWorkflowTemplate(string) (*wfv1.ClusterWorkflowTemplate, error) {
	return nil, nil
}

// ConfigMap implements Facts. There are none.
func (controllerOnlyFacts) ConfigMap(string, string) (*corev1.ConfigMap, error) { return nil, nil }

// ServiceAccount implements Facts. There are none.
func (controllerOnlyFacts) ServiceAccount(string, string) (*corev1.ServiceAccount, error) {
	return nil, nil
}
