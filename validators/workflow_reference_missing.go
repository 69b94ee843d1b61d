package validators

// WorkflowReferenceMissing is the ID of the rule in this file.
const WorkflowReferenceMissing = "workflow-reference-missing"

// What goes for Secrets goes for the other objects that a pod names: without a ConfigMap or a claim it waits for ever, without
// its ServiceAccount or PriorityClass the API server refuses it.
//
// Looks at: the pods that the Workflow leads to, and what they can't start without (references).
// Passes: what is optional, what exists only at run time, what the Workflow itself makes, also by its volumeClaimTemplates.
// A warning by default: these objects come and go with the tools that make them.
var workflowReferenceMissing = Rule[WorkflowForecast]{
	ID:      WorkflowReferenceMissing,
	Summary: "A Workflow's pods need a ConfigMap, a ServiceAccount, a PersistentVolumeClaim or a PriorityClass that is not there.",
	Warns:   true,
	Judge: func(subject WorkflowForecast, facts Facts) []Finding {
		return judgeNeeds(WorkflowReferenceMissing, subject, facts, ConfigMap, ServiceAccount, PersistentVolumeClaim, PriorityClass)
	},
}
