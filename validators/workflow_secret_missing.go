package validators

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// WorkflowSecretMissing is the ID of the rule in this file.
const WorkflowSecretMissing = "workflow-secret-missing"

// A pod that needs a Secret which its namespace does not have never starts: the kubelet waits for the Secret for ever,
// and Argo shows the step as pending without end. The same goes for a key that the Secret does not have.
//
// Looks at: the pods that the Workflow leads to; in their containers env and envFrom, in the volumes that are mounted
// secret and projected.
// Passes: references marked optional; names and keys that exist only at run time; Secrets that the Workflow itself makes.
// A step behind a condition that can't be decided gets a warning.
var workflowSecretMissing = Rule[WorkflowForecast]{
	ID:      WorkflowSecretMissing,
	Summary: "A Workflow's pods need a Secret, or a key of one, that the namespace does not have.",
	Judge:   judgeWorkflowSecrets,
}

func judgeWorkflowSecrets(subject WorkflowForecast, facts Facts) []Finding {
	needs := secretNeeds(subject.Forecast.Pods)
	var out []Finding
	unchecked := func(format string, args ...any) {
		out = append(out, Finding{
			Rule: WorkflowSecretMissing, Certainty: Unknown, Type: metav1.CauseTypeFieldValueNotFound, Field: "spec",
			Problem: fmt.Sprintf(format, args...),
		})
	}
	if err := subject.Forecast.ControllerError; err != nil {
		unchecked("the Secrets of the Workflow were checked without certainty: %v", err)
	}
	if len(needs) > maxSecrets {
		unchecked("of the %d Secrets that the Workflow needs, %d were not checked", len(needs), len(needs)-maxSecrets)
		needs = needs[:maxSecrets]
	}
	if len(needs) == 0 {
		return out
	}
	namespace := subject.Workflow.Namespace
	names := make([]string, len(needs))
	for i, need := range needs {
		names[i] = need.secret
	}
	secrets := facts.Secrets(namespace, names)
	for _, need := range needs {
		if f, ok := need.judge(namespace, secrets[need.secret], subject.Forecast); ok {
			out = append(out, f)
		}
	}
	return out
}

// maxSecrets bounds how many Secrets of one Workflow are looked up.
const maxSecrets = 200

// secretNeed is everything that a Workflow's pods need of one Secret.
type secretNeed struct {
	secret string
	uses   []secretUse
}

type secretUse struct {
	secretRef
	pod       *forecast.Pod
	certainty Certainty
}

// secretNeeds gathers the references of all pods by Secret, in the order in which the Workflow reaches them.
func secretNeeds(pods []forecast.Pod) []secretNeed {
	var needs []secretNeed
	index := map[string]int{}
	for i := range pods {
		pod := &pods[i]
		certainty := pod.Origin.Certainty
		if pod.Unknown != "" {
			certainty = min(certainty, Possible) // the reference may not be there
		}
		for _, ref := range requiredSecrets(pod) {
			if ref.secret == "" || forecast.HasTag(ref.secret) {
				continue
			}
			at, ok := index[ref.secret]
			if !ok {
				at = len(needs)
				index[ref.secret] = at
				needs = append(needs, secretNeed{secret: ref.secret})
			}
			needs[at].uses = append(needs[at].uses, secretUse{ref, pod, certainty})
		}
	}
	return needs
}

// judge says what is wrong with the Secret, if anything is.
func (n secretNeed) judge(namespace string, secret Secret, fc forecast.Forecast) (Finding, bool) {
	f := Finding{Rule: WorkflowSecretMissing, Type: metav1.CauseTypeFieldValueNotFound}
	if secret.Err != nil {
		f.Field = n.uses[0].path.String()
		f.Problem = fmt.Sprintf("whether namespace '%s' has the Secret '%s' was not checked: %v", namespace, n.secret, secret.Err)
		return f, true
	}
	uses := n.uses
	if secret.Exists {
		uses = slices.DeleteFunc(slices.Clone(uses), func(u secretUse) bool {
			return u.key == "" || forecast.HasTag(u.key) || secret.Keys.Has(u.key)
		})
	}
	if len(uses) == 0 {
		return f, false
	}
	first := uses[0]
	for _, u := range uses {
		if u.certainty > f.Certainty {
			f.Certainty, first = u.certainty, u
		}
	}
	condition := ""
	switch {
	case first.pod.Unknown != "":
		condition = "unless that changes (" + first.pod.Unknown + "), "
	case f.Certainty == Possible:
		condition = "if it comes to that step, "
	}
	switch fc.Makes("Secret", n.secret) {
	case Certain:
		return f, false
	case Possible:
		f.Certainty = min(f.Certainty, Possible)
		condition = "unless a step of the Workflow brings it about in time, "
	}
	f.Field = first.path.String()

	keys, steps := keysAndSteps(uses)
	if secret.Exists {
		f.Problem = fmt.Sprintf("Secret '%s' in namespace '%s' has no %s, needed by %s", n.secret, namespace, plural("key", keys), plural("step", steps))
		f.Fix = "to fix, add what is missing to the Secret, or correct the name of the key where it is written"
	} else {
		f.Problem = fmt.Sprintf("namespace '%s' has no Secret '%s', needed by %s", namespace, n.secret, plural("step", steps))
		if len(keys) > 0 {
			f.Problem += fmt.Sprintf(" (%s)", plural("key", keys))
		}
		f.Fix = fmt.Sprintf("to fix, create the Secret in this namespace before the run (kubectl -n %s create secret generic %s --from-literal=KEY=VALUE), or correct the name where it is written", namespace, n.secret)
	}
	f.Outcome = fmt.Sprintf("%sthe pod would hang in Pending for ever (%s)", condition, kubeletWords(first, namespace, secret.Exists))
	return f, true
}

// kubeletWords are the kubelet's own words for what the pod would meet.
func kubeletWords(u secretUse, namespace string, exists bool) string {
	switch {
	case u.volume && exists:
		return "references non-existent secret key: " + u.key
	case u.volume:
		return fmt.Sprintf("MountVolume.SetUp failed: secret '%s' not found", u.secret)
	case exists:
		return fmt.Sprintf("CreateContainerConfigError: couldn't find key %s in Secret %s/%s", u.key, namespace, u.secret)
	default:
		return fmt.Sprintf("CreateContainerConfigError: secret '%s' not found", u.secret)
	}
}

// keysAndSteps are the keys that uses name and the steps that they belong to, each once, in the Workflow's order.
func keysAndSteps(uses []secretUse) (keys, steps []string) {
	for _, u := range uses {
		if u.key != "" && !forecast.HasTag(u.key) && !slices.Contains(keys, u.key) {
			keys = append(keys, u.key)
		}
		for _, s := range u.pod.Origin.Steps {
			if !slices.Contains(steps, s) {
				steps = append(steps, s)
			}
		}
	}
	return keys, steps
}
