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

// workflowOf makes the Workflow that comes out of another object.
func (o *Object) workflowOf(meta *metav1.ObjectMeta, spec json.RawMessage) error {
	own := metav1.ObjectMeta{GenerateName: o.Name + "-", Namespace: o.Namespace}
	if meta != nil {
		own.Labels, own.Annotations = maps.Clone(meta.Labels), meta.Annotations
	}
	if id, ok := o.labels[forecast.InstanceLabel]; ok { // the same controller
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

// Source: argoproj/argo-workflows v3.7.3 workflow/common/convert.go ConvertCronWorkflowToWorkflow.
func cronWorkflow(o *Object, raw []byte) error {
	var cron struct {
		Spec struct {
			WorkflowSpec     json.RawMessage    `json:"workflowSpec"`
			WorkflowMetadata *metav1.ObjectMeta `json:"workflowMetadata"`
		} `json:"spec"`
	}
	if err := kjson.Unmarshal(raw, &cron); err != nil {
		return err
	}
	o.spec = "spec.workflowSpec"
	return o.workflowOf(cron.Spec.WorkflowMetadata, cron.Spec.WorkflowSpec)
}

// workflowTemplate makes the Workflow that only names the template. A template without an entrypoint is there for others to use:
// any of its templates may run.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/convert.go NewWorkflowFromWorkflowTemplate.
func workflowTemplate(o *Object, raw []byte) error {
	var template struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := kjson.Unmarshal(raw, &template); err != nil {
		return err
	}
	o.spec = "spec"
	if err := o.workflowOf(nil, template.Spec); err != nil {
		return err
	}
	if o.workflow.Spec.WorkflowMetadata != nil {
		o.workflow.Annotations = o.workflow.Spec.WorkflowMetadata.Annotations
	}
	if o.workflow.Spec.Entrypoint == "" {
		runAnyOf(&o.workflow.Spec)
	}
	return nil
}

// runAnyOf adds an entrypoint from which each template may run, under a condition that nobody can decide before.
func runAnyOf(spec *wfv1.WorkflowSpec) {
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

// scheduledWorkflow makes the Workflow of a recurring run of KFP. A spec that is a text is a whole Workflow or, in older objects,
// its spec. One without a spec gets its Workflow from KFP's API server when the time comes.
// Source: kubeflow/pipelines 010a6df backend/src/common/util/workflow.go NewWorkflowFromScheduleWorkflowSpecBytesJSON,
// backend/src/crd/controller/scheduledworkflow/util/scheduled_workflow.go NewWorkflow.
func scheduledWorkflow(o *Object, raw []byte) error {
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
	o.spec = "spec.workflow.spec"
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
	if err := o.workflowOf(&whole.Metadata, spec); err != nil {
		return err
	}
	override(o.workflow.Spec.Arguments.Parameters, scheduled.Spec.Workflow.Parameters)
	return nil
}

// override sets the parameters of a run. What KFP fills in at the time of the run, such as [[ScheduledTime]], is not known before.
func override(parameters, by []wfv1.Parameter) {
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
