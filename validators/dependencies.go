package validators

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// need is everything that a Workflow's pods need of one object.
type need struct {
	ObjectRef
	uses []use
}

// use is a reference of a pod.
type use struct {
	reference
	steps     []string
	certainty Certainty
	unknown   string // why the reference may not be there at all
	ends      bool   // the pod has a deadline
}

// maxNeeds bounds how many objects one rule looks up for a Workflow.
const maxNeeds = 200

// judgeNeeds judges whether the objects of some kinds that a Workflow's pods need are there: one finding for each that is not,
// or lacks a key.
func judgeNeeds(rule string, subject WorkflowForecast, facts Facts, kinds ...string) []Finding {
	var out []Finding
	needs := slices.DeleteFunc(slices.Clone(subject.needs()), func(n need) bool { return !slices.Contains(kinds, n.Kind) })
	if len(needs) > maxNeeds {
		out = append(out, unchecked(rule, "of the %d objects that the Workflow needs, %d were not checked", len(needs), len(needs)-maxNeeds))
		needs = needs[:maxNeeds]
	}
	if len(needs) == 0 {
		return out
	}
	wanted := make([]ObjectQuery, len(needs))
	for i, n := range needs {
		keys := keysOf(n.uses)
		slices.Sort(keys)
		wanted[i] = ObjectQuery{n.ObjectRef, keys}
	}
	namespace := subject.Workflow.Namespace
	found := facts.CheckObjects(namespace, wanted)
	for _, n := range needs {
		if f, ok := n.judge(namespace, found[n.ObjectRef], &subject.Forecast); ok {
			f.Rule = rule
			out = append(out, f)
		}
	}
	return out
}

// unchecked is a finding that says what a rule could not check.
func unchecked(rule, format string, args ...any) Finding {
	return Finding{
		Rule: rule, Certainty: Unknown, Type: metav1.CauseTypeFieldValueNotFound, Field: "spec", Problem: fmt.Sprintf(format, args...),
	}
}

// needsOf gathers the references of all pods by object, in the order in which the Workflow reaches them.
func needsOf(fc *forecast.Forecast) []need {
	var needs []need
	index := map[ObjectRef]int{}
	add := func(u use) {
		if forecast.HasTag(u.Name) {
			return
		}
		at, ok := index[u.ObjectRef]
		if !ok {
			at = len(needs)
			index[u.ObjectRef] = at
			needs = append(needs, need{ObjectRef: u.ObjectRef})
		}
		needs[at].uses = append(needs[at].uses, u)
	}
	for i := range fc.Pods {
		pod := &fc.Pods[i]
		for _, ref := range references(pod) {
			u := use{ref, pod.Origin.Steps, certaintyOf(pod), pod.Unknown, pod.DeadlineUnknown || pod.Spec.ActiveDeadlineSeconds != nil}
			if ref.way == byPull {
				u.certainty = min(u.certainty, Possible)
			}
			add(u)
		}
	}
	for _, h := range fc.HeaderSecrets {
		add(use{reference{ObjectRef{Secret, h.Secret}, h.Key, func() *field.Path { return h.Origin.Path }, byRequest}, h.Origin.Steps, h.Origin.Certainty, "", false})
	}
	return needs
}

// certaintyOf is how sure it is that a pod comes to be as it is forecast.
func certaintyOf(pod *forecast.Pod) Certainty {
	if pod.Unknown != "" {
		return min(pod.Origin.Certainty, Possible)
	}
	return pod.Origin.Certainty
}

// judge says what is wrong with the object, if anything is.
func (n need) judge(namespace string, found ObjectStatus, fc *forecast.Forecast) (Finding, bool) {
	f := Finding{Type: metav1.CauseTypeFieldValueNotFound}
	if found.Err != nil {
		f.Field = n.uses[0].path().String()
		f.Problem = fmt.Sprintf("whether %s %s was not checked: %v", where(n.Kind, namespace), n.title(), found.Err)
		return f, true
	}
	uses := n.uses
	if found.Exists {
		uses = nil
		for _, u := range n.uses {
			if u.key != "" && !forecast.HasTag(u.key) && !found.Keys.Has(u.key) {
				uses = append(uses, u)
			}
		}
	}
	if len(uses) == 0 {
		return f, false
	}
	first := uses[0]
	for _, u := range uses {
		if u.certainty > f.Certainty || u.certainty == f.Certainty && first.way == byPull {
			f.Certainty, first = u.certainty, u
		}
	}
	condition := ""
	switch {
	case first.way == byPull:
	case first.unknown != "":
		condition = "unless that changes (" + first.unknown + "), "
	case f.Certainty == Possible:
		condition = "if it comes to that step, "
	}
	switch fc.Provides(n.Kind, n.Name) {
	case Certain:
		return f, false
	case Possible:
		f.Certainty = min(f.Certainty, Possible)
		condition = "unless a step of the Workflow brings it about in time, "
	}
	f.Field = first.path().String()
	keys, steps := keysOf(uses), stepsOf(uses)
	if found.Exists {
		f.Problem = fmt.Sprintf("%s in namespace '%s' has no %s, needed by %s", n.title(), namespace, plural("key", keys), plural("step", steps))
		f.Fix = "to fix, add what is missing to the " + n.Kind + ", or correct the name of the key where it is written"
	} else {
		f.Problem = fmt.Sprintf("%s no %s, needed by %s", where(n.Kind, namespace), n.title(), plural("step", steps))
		if len(keys) > 0 {
			f.Problem += fmt.Sprintf(" (%s)", plural("key", keys))
		}
		f.Fix = fixes(first, namespace)
	}
	f.Outcome = condition + outcome(first, namespace, found.Exists)
	return f, true
}

// title is the object for a reader: Secret 'credentials'.
func (o ObjectRef) title() string { return fmt.Sprintf("%s '%s'", o.Kind, o.Name) }

// where says who has objects of a kind, or has none.
func where(kind, namespace string) string {
	if kind == PriorityClass {
		return "the cluster has"
	}
	return fmt.Sprintf("namespace '%s' has", namespace)
}

// outcome says what a pod would meet, in the words of whoever stops it.
func outcome(u use, namespace string, exists bool) string {
	kind := map[string]string{Secret: "secret", ConfigMap: "configmap"}[u.Kind]
	until := "for ever"
	if u.ends {
		until = "until its deadline"
	}
	hangs := func(format string, args ...any) string {
		return fmt.Sprintf("the pod would hang in Pending %s (%s)", until, fmt.Sprintf(format, args...))
	}
	switch {
	case u.way == byPull:
		return "images would be pulled without it, and a private one would hang in ImagePullBackOff"
	case u.way == byRequest && exists:
		return fmt.Sprintf("the request would fail (secret '%s' does not have the key '%s')", u.Name, u.key)
	case u.way == byRequest:
		return fmt.Sprintf("the request would fail (secrets '%s' not found)", u.Name)
	case u.way == byController:
		return fmt.Sprintf("Argo would make no pod, because its own containers run with the account's token (serviceaccounts '%s' not found)", u.Name)
	case u.Kind == ServiceAccount:
		return fmt.Sprintf("the API server would refuse the pod (error looking up service account %s/%s: serviceaccount '%s' not found)", namespace, u.Name, u.Name)
	case u.Kind == PriorityClass:
		return fmt.Sprintf("the API server would refuse the pod (no PriorityClass with name %s was found)", u.Name)
	case u.way == byScheduler:
		return hangs("persistentvolumeclaim '%s' not found", u.Name)
	case u.way == byVolume && exists:
		return hangs("references non-existent %s key: %s", map[string]string{Secret: "secret", ConfigMap: "config"}[u.Kind], u.key)
	case u.way == byVolume:
		return hangs("MountVolume.SetUp failed: %s '%s' not found", kind, u.Name)
	case exists:
		return hangs("CreateContainerConfigError: couldn't find key %s in %s %s/%s", u.key, u.Kind, namespace, u.Name)
	default:
		return hangs("CreateContainerConfigError: %s '%s' not found", kind, u.Name)
	}
}

// fixes says how to make an object that is not there.
func fixes(u use, namespace string) string {
	var create string
	account, isToken := strings.CutSuffix(u.Name, ".service-account-token")
	switch {
	case u.Kind == Secret && u.way == byPull:
		create = fmt.Sprintf("create the Secret in this namespace before the run (kubectl -n %s create secret docker-registry %s --docker-server=HOST --docker-username=USER --docker-password=PASSWORD)", namespace, u.Name)
	case u.Kind == Secret && isToken:
		create = fmt.Sprintf("create the Secret in this namespace with type kubernetes.io/service-account-token and annotation kubernetes.io/service-account.name: %s", account)
	case u.Kind == Secret:
		create = fmt.Sprintf("create the Secret in this namespace before the run (kubectl -n %s create secret generic %s --from-literal=KEY=VALUE)", namespace, u.Name)
	case u.Kind == ConfigMap:
		create = fmt.Sprintf("create the ConfigMap in this namespace before the run (kubectl -n %s create configmap %s --from-literal=KEY=VALUE)", namespace, u.Name)
	case u.Kind == ServiceAccount:
		create = fmt.Sprintf("create the ServiceAccount in this namespace before the run (kubectl -n %s create serviceaccount %s)", namespace, u.Name)
	default:
		create = "create the " + u.Kind + " before the run"
	}
	return "to fix, " + create + ", or correct the name where it is written"
}

// keysOf are the keys that uses name, each once, in the Workflow's order.
func keysOf(uses []use) (keys []string) {
	for _, u := range uses {
		if u.key != "" && !slices.Contains(keys, u.key) && !forecast.HasTag(u.key) {
			keys = append(keys, u.key)
		}
	}
	return keys
}

// stepsOf are the steps that uses belong to, each once, in the Workflow's order.
func stepsOf(uses []use) (steps []string) {
	has := map[string]bool{}
	for _, u := range uses {
		for _, s := range u.steps {
			if !has[s] {
				has[s] = true
				steps = append(steps, s)
			}
		}
	}
	return steps
}
