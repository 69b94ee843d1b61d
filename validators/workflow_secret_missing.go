package validators

// WorkflowSecretMissing is the ID of the rule in this file.
const WorkflowSecretMissing = "workflow-secret-missing"

// A pod that needs a Secret which its namespace does not have never starts: the kubelet waits for the Secret for ever,
// and Argo shows the step as pending without end. The same goes for a key that the Secret does not have.
//
// Looks at: the pods that the Workflow leads to, what they can't start without (references), the volumes that are named
// after Secrets, and the headers of HTTP templates.
// Passes: references marked optional; names and keys that exist only at run time; Secrets that the Workflow itself makes.
// A step behind a condition that can't be decided gets a warning, and so does an image pull secret.
var workflowSecretMissing = Rule[WorkflowForecast]{
	ID:      WorkflowSecretMissing,
	Summary: "A Workflow's pods need a Secret, or a key of one, that the namespace does not have.",
	Judge: func(subject WorkflowForecast, facts Facts) []Finding {
		var out []Finding
		if err := subject.Forecast.ControllerConfigError; err != nil {
			out = append(out, unchecked(WorkflowSecretMissing, "the Secrets of the Workflow were checked without certainty: %v", err))
		}
		out = append(out, judgeNeeds(WorkflowSecretMissing, subject, facts, Secret)...)
		return append(out, judgeVolumeNames(subject.Forecast.Pods)...)
	},
}
