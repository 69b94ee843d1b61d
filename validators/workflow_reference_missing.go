package validators

// WorkflowReferenceMissing is the ID of the rule in this file.
const WorkflowReferenceMissing = "workflow-reference-missing"

// A pod without its ConfigMap or PersistentVolumeClaim stays in Pending, as one without its Secret does. Without its ServiceAccount or
// PriorityClass the API server refuses it.
//
// Looks at: the pods of the Workflow, and what they can't start without (pod_dependencies.go).
// Allows: what is optional, what is known only at run time, what the Workflow itself creates, also by its volumeClaimTemplates.
// A warning by default: these objects come and go with the tools that create them.
var workflowReferenceMissing = Rule[WorkflowForecast]{
	ID: WorkflowReferenceMissing,
	Summary: "A Workflow's pods need a ConfigMap, a ServiceAccount, a PersistentVolumeClaim or a PriorityClass that " +
		"does not exist.",
	DefaultMode: Warn,
	Judge: func(subject WorkflowForecast, facts Facts) []Finding {
		kinds := []string{ConfigMap, ServiceAccount, PersistentVolumeClaim, PriorityClass}
		return judgeDependencies(WorkflowReferenceMissing, subject, facts, kinds...)
	},
}
