package objects

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// setWorkflow sets the Workflow that the object would create, with the given metadata and spec.
func (o *Object) setWorkflow(meta *metav1.ObjectMeta, spec json.RawMessage) error {
	own := metav1.ObjectMeta{GenerateName: o.Name + "-", Namespace: o.Namespace}
	if meta != nil {
		own.Labels, own.Annotations = maps.Clone(meta.Labels), meta.Annotations
	}
	if id, ok := o.labels[forecast.InstanceLabel]; ok { // the same workflow-controller runs it
		if own.Labels == nil {
			own.Labels = map[string]string{}
		}
		own.Labels[forecast.InstanceLabel] = id
	}
	raw, err := json.Marshal(map[string]any{"metadata": own, "spec": spec})
	if err != nil {
		return err
	}
	o.workflow, err = forecast.Decode[wfv1.Workflow](raw)
	return err
}

// decodeCronWorkflow sets the Workflow of the next scheduled run.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/convert.go ConvertCronWorkflowToWorkflow.
func decodeCronWorkflow(o *Object, raw []byte) error {
	var cron struct {
		Spec struct {
			WorkflowSpec     json.RawMessage    `json:"workflowSpec"`
			WorkflowMetadata *metav1.ObjectMeta `json:"workflowMetadata"`
		} `json:"spec"`
	}
	if err := kjson.Unmarshal(raw, &cron); err != nil {
		return err
	}
	o.specPath = "spec.workflowSpec"
	return o.setWorkflow(cron.Spec.WorkflowMetadata, cron.Spec.WorkflowSpec)
}

// decodeWorkflowTemplate sets the Workflow that runs the template as it is. If the template has no entrypoint, it is a library for
// other Workflows, so any of its templates may run.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/convert.go NewWorkflowFromWorkflowTemplate.
func decodeWorkflowTemplate(o *Object, raw []byte) error {
	var template struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := kjson.Unmarshal(raw, &template); err != nil {
		return err
	}
	o.specPath = "spec"
	if err := o.setWorkflow(nil, template.Spec); err != nil {
		return err
	}
	if o.workflow.Spec.WorkflowMetadata != nil {
		o.workflow.Annotations = o.workflow.Spec.WorkflowMetadata.Annotations
	}
	if o.workflow.Spec.Entrypoint == "" {
		runAnyTemplate(&o.workflow.Spec)
	}
	return nil
}

// runAnyTemplate adds an entrypoint that may run each template. The condition is known only at run time.
func runAnyTemplate(spec *wfv1.WorkflowSpec) {
	all := wfv1.Template{Name: "kfp-preflight.dev/any"}
	group := wfv1.ParallelSteps{}
	for _, t := range spec.Templates {
		step := wfv1.WorkflowStep{Name: t.Name, Template: t.Name, When: "{{workflow.status}} == Succeeded"}
		group.Steps = append(group.Steps, step)
	}
	all.Steps = []wfv1.ParallelSteps{group}
	spec.Templates = append(spec.Templates, all)
	spec.Entrypoint = all.Name
}

// decodeScheduledWorkflow sets the Workflow of a recurring run of KFP. If spec is a string, it contains a whole Workflow or, in older
// objects, only its spec. If there is no spec, KFP's API server creates the Workflow at the time of the run.
// Source: kubeflow/pipelines 010a6df backend/src/common/util/workflow.go NewWorkflowFromScheduleWorkflowSpecBytesJSON,
// backend/src/crd/controller/scheduledworkflow/util/scheduled_workflow.go NewWorkflow.
func decodeScheduledWorkflow(o *Object, raw []byte) error {
	var scheduled struct {
		Spec struct {
			Workflow struct {
				Spec       json.RawMessage  `json:"spec"`
				Parameters []wfv1.Parameter `json:"parameters"`
			} `json:"workflow"`
		} `json:"spec"`
	}
	if err := kjson.Unmarshal(raw, &scheduled); err != nil {
		return err
	}
	o.specPath = "spec.workflow.spec"
	spec := scheduled.Spec.Workflow.Spec
	var text string
	var whole struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     json.RawMessage   `json:"spec"`
	}
	if json.Unmarshal(spec, &text) == nil && text != "" {
		if err := kjson.Unmarshal([]byte(text), &whole); err != nil {
			return fmt.Errorf("spec.workflow.spec: %w", err)
		}
		if spec = whole.Spec; len(spec) == 0 {
			spec = json.RawMessage(text)
		}
	}
	if len(spec) == 0 {
		spec = json.RawMessage("{}")
	}
	if err := o.setWorkflow(&whole.Metadata, spec); err != nil {
		return err
	}
	overrideParameters(o.workflow.Spec.Arguments.Parameters, scheduled.Spec.Workflow.Parameters)
	return nil
}

// overrideParameters sets the parameters of the run. A value that KFP fills in at the time of the run, such as [[ScheduledTime]], is
// unknown.
func overrideParameters(parameters, by []wfv1.Parameter) {
	for i := range parameters {
		for _, p := range by {
			if p.Name == parameters[i].Name {
				parameters[i].Value = p.Value
				if p.Value != nil && strings.Contains(p.Value.String(), "[[") {
					parameters[i].Value = nil
				}
			}
		}
	}
}
