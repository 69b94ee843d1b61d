package forecast

import (
	"fmt"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// effectiveWorkflow returns the Workflow as the controller executes it, and the scope of its
// templates. It merges the Workflow with the WorkflowTemplate that it refers to and with the
// controller's workflowDefaults. If one of them can't be merged, it returns the error and the
// Workflow without it.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go setStoredWfSpec, workflow/util/merge.go
// JoinWorkflowSpec.
func effectiveWorkflow(b *budget, wf *wfv1.Workflow, facts Facts, controller ControllerConfig) (*scope, *wfv1.Workflow, error) {
	workflowScope, merged := &scope{templates: wf.Spec.Templates}, wf
	if ref := wf.Spec.WorkflowTemplateRef; ref != nil {
		spec := wf.Status.StoredWorkflowSpec // the controller prefers it, too
		if spec == nil {
			var err error
			if spec, err = templateSpec(facts, wf.Namespace, ref.Name, ref.ClusterScope); err != nil {
				return workflowScope, wf, err
			}
		}
		joined, err := mergeWorkflow(b, wf, &wfv1.Workflow{Spec: *spec})
		if err != nil {
			title := templateTitle(ref.Name, ref.ClusterScope)
			return workflowScope, wf, fmt.Errorf("the %s can't be merged into the Workflow: %w", title, err)
		}
		restoreParameterPrecedence(joined.Spec.Arguments.Parameters, wf.Spec.Arguments, spec.Arguments)
		merged, workflowScope.refPath = joined, field.NewPath("spec", "workflowTemplateRef")
	}
	withAll, err := mergeWorkflow(b, merged, controller.WorkflowDefaults)
	if err != nil {
		return workflowScope, merged, fmt.Errorf("the controller's workflowDefaults can't be merged into the Workflow: %w", err)
	}
	workflowScope.templates = withAll.Spec.Templates
	return workflowScope, withAll, nil
}

// restoreParameterPrecedence repairs parameters that are defined twice. The merge mixes the fields
// of both definitions, but value, default, and source must all come from the first definition that
// has any of them, in order of priority.
func restoreParameterPrecedence(parameters []wfv1.Parameter, priority ...wfv1.Arguments) {
	for i, p := range parameters {
		for _, args := range priority {
			if own := args.GetParameterByName(p.Name); own != nil && own.HasValue() {
				parameters[i] = *own
				break
			}
		}
	}
}
