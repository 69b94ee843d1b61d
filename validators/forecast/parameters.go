package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// globalValues are the workflow.* tags that are known at admission.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go setGlobalParameters.
func globalValues(wf *wfv1.Workflow) values {
	known := values{
		"workflow.mainEntrypoint":     wf.Spec.Entrypoint,
		"workflow.serviceAccountName": wf.Spec.ServiceAccountName,
	}
	// Filled in by the API server before validating admission; a file on disk may not have them yet.
	for tag, value := range map[string]string{
		"workflow.name": wf.Name, "workflow.namespace": wf.Namespace, "workflow.uid": string(wf.UID),
	} {
		if value != "" {
			known[tag] = value
		}
	}
	for _, p := range wf.Spec.Arguments.Parameters {
		if p.Value != nil && !HasTag(p.Value.String()) {
			known["workflow.parameters."+p.Name] = p.Value.String()
		}
	}
	return known
}

// inputValues are the inputs.parameters.* tags of a template that was called with args: the caller's argument, else the
// input's own value, else its default. A value that still has a tag is put in as it is, which keeps it recognisable as
// something that exists only at run time.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/util.go ProcessArgs.
func inputValues(inputs wfv1.Inputs, args wfv1.Arguments) values {
	known := values{}
	for _, in := range inputs.Parameters {
		value := in.Value
		if value == nil {
			value = in.Default
		}
		if in.ValueFrom != nil {
			value = nil // a ConfigMap, or an output: it comes before the default
		}
		if arg := args.GetParameterByName(in.Name); arg != nil {
			value = arg.Value // nil when it comes from somewhere (valueFrom): then only the run knows it
		}
		if value != nil {
			known["inputs.parameters."+in.Name] = value.String()
		}
	}
	return known
}
