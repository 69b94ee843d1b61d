package validators

// WorkflowSecretMissing is the ID of the rule in this file.
const WorkflowSecretMissing = "workflow-secret-missing"

// A pod that needs a Secret which its namespace does not have never starts: the kubelet waits for the Secret, and Argo shows the step as
// pending forever. The same happens with a key that the Secret lacks.
//
// Looks at: the pods of the Workflow and what they can't start without (pod_dependencies.go), volumes that are named after Secrets, and
// the headers of HTTP templates.
// Allows: references marked optional; names and keys that are known only at run time; Secrets that the Workflow itself creates.
// Warns about a step behind a condition that can't be decided, and about image pull secrets.
var workflowSecretMissing = Rule[WorkflowForecast]{
	ID:          WorkflowSecretMissing,
	Summary:     "A Workflow's pods need a Secret, or a key of one, that the namespace does not have.",
	DefaultMode: Deny,
	Judge: func(subject WorkflowForecast, facts Facts) []Finding {
		var out []Finding
		if err := subject.Forecast.ControllerConfigError; err != nil {
			out = append(out, unchecked(WorkflowSecretMissing, "spec", "the Secrets of the Workflow were checked without certainty: %v", err))
		}
		out = append(out, judgeDependencies(WorkflowSecretMissing, subject, facts, Secret)...)
		return append(out, judgeVolumeNames(subject.Forecast.Pods)...)
	},
}
