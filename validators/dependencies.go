package validators

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// workflowDependency is an object that pods of a Workflow depend on, and everything that needs it.
type workflowDependency struct {
	ObjectRef
	consumers []stepConsumer
}

// stepConsumer is a dependency of one pod, and the steps that the pod runs.
type stepConsumer struct {
	podDependency
	pod         int // index in Forecast.Pods; -1 for a header of an HTTP request
	steps       []string
	certainty   Certainty // that the run fails or hangs without the object
	condition   condition // why the missing object may not matter; set by missing
	unknown     string    // why the pod may turn out not to have the dependency
	hasDeadline bool
	endsItself  bool // the step ends although the object is missing, and the run may go on
}

// maxObjects bounds how many objects one rule looks up for a Workflow.
const maxObjects = 200

// workflowDependencies gathers the dependencies of all pods by object, in the order in which the Workflow reaches them.
func workflowDependencies(fc *forecast.Forecast) []workflowDependency {
	var deps []workflowDependency
	index := map[ObjectRef]int{}
	add := func(c stepConsumer) {
		if forecast.HasTag(c.Name) {
			return
		}
		at, ok := index[c.ObjectRef]
		if !ok {
			at = len(deps)
			index[c.ObjectRef] = at
			deps = append(deps, workflowDependency{ObjectRef: c.ObjectRef})
		}
		deps[at].consumers = append(deps[at].consumers, c)
	}
	for i := range fc.Pods {
		pod := &fc.Pods[i]
		hasDeadline := pod.DeadlineUnknown || pod.Spec.ActiveDeadlineSeconds != nil
		for _, d := range podDependencies(pod) {
			add(stepConsumer{d, i, pod.Origin.Steps, d.certainty(pod), unconditional, pod.Unknown, hasDeadline, d.endsItself(pod)})
		}
	}
	for _, h := range fc.HeaderSecrets {
		d := podDependency{ObjectRef{Secret, h.Secret}, h.Key, func() *field.Path { return h.Origin.Path }, httpRequest}
		certainty := min(h.Origin.EndsRun, h.Origin.EndsRunOnFailure)
		add(stepConsumer{d, -1, h.Origin.Steps, certainty, unconditional, "", false, true})
	}
	return deps
}

// certainty is how certain it is that the run fails or hangs without the object. A pod that is refused ends its step in error, and a pod
// with a deadline of its own fails; the run may then go on without it. A pod that waits without a deadline blocks the run.
func (d podDependency) certainty(pod *forecast.Pod) Certainty {
	c := podCertainty(pod)
	switch {
	case d.consumer == imagePull:
		return min(c, Possible)
	case d.consumer == admission || d.consumer == argoController:
		return min(c, pod.Origin.EndsRun)
	case pod.HasOwnDeadline:
		return min(c, pod.Origin.EndsRunOnFailure)
	}
	return c
}

// endsItself reports whether a pod without the object ends its step, instead of blocking it.
func (d podDependency) endsItself(pod *forecast.Pod) bool {
	return d.consumer == admission || d.consumer == argoController || d.consumer != imagePull && pod.HasOwnDeadline
}

// lowerAfterFailures lowers the certainty of findings about steps that may not be reached, or not be waited for: steps that run after or
// beside a step which ends because of its own missing object, if the run may go on then.
func lowerAfterFailures(missing []missingObject, fc *forecast.Forecast) {
	var ending []int
	for _, m := range missing {
		for _, c := range m.consumers {
			if c.endsItself && c.certainty < Certain && c.pod >= 0 {
				ending = append(ending, c.pod)
			}
		}
	}
	for i := range missing {
		m := &missing[i]
		if len(ending) == 0 || m.certainty < Certain {
			continue
		}
		for j := range m.consumers {
			c := &m.consumers[j]
			mayEndBefore := func(pod int) bool { return fc.MayRunBefore(pod, c.pod) }
			if c.certainty == Certain && slices.ContainsFunc(ending, mayEndBefore) {
				c.certainty, c.condition = Possible, ifStepRuns
			}
		}
		m.setFirst()
	}
}

// judgeDependencies reports objects of these kinds that the Workflow's pods depend on and that don't exist or lack a key.
func judgeDependencies(rule string, subject WorkflowForecast, facts Facts, kinds ...string) []Finding {
	var out []Finding
	deps := slices.DeleteFunc(slices.Clone(subject.dependencies()), func(d workflowDependency) bool {
		return !slices.Contains(kinds, d.Kind)
	})
	if len(deps) > maxObjects {
		out = append(out, unchecked(rule, "spec",
			"of the %d objects that the Workflow needs, %d were not checked", len(deps), len(deps)-maxObjects))
		deps = deps[:maxObjects]
	}
	if len(deps) == 0 {
		return out
	}
	queries := make([]ObjectQuery, len(deps))
	for i, d := range deps {
		keys := keysOf(d.consumers)
		slices.Sort(keys)
		queries[i] = ObjectQuery{d.ObjectRef, keys}
	}
	namespace := subject.Workflow.Namespace
	status := facts.CheckObjects(namespace, queries)
	var missing []missingObject
	for _, d := range deps {
		s := status[d.ObjectRef]
		if s.Err != nil {
			out = append(out, unchecked(rule, d.consumers[0].path().String(), "whether %s exists%s was not checked: %v",
				d.title(), inNamespaceOf(d.Kind, namespace), s.Err))
			continue
		}
		if m, ok := d.missing(s, &subject.Forecast); ok {
			missing = append(missing, m)
		}
	}
	lowerAfterFailures(missing, &subject.Forecast)
	expectObjects(missing, namespace, &subject.Forecast, facts)
	for _, group := range groupMissing(missing) {
		f := group.finding(namespace)
		f.Rule, f.Type = rule, metav1.CauseTypeFieldValueNotFound
		out = append(out, f)
	}
	return out
}

// missingObject is a dependency that can't be satisfied: the object does not exist, or lacks keys.
type missingObject struct {
	ObjectRef
	exists bool
	// keys are the missing keys: all that are needed, if the object does not exist.
	keys []string
	// consumers are those that can't start without the object or the keys. first is one with the highest certainty.
	consumers []stepConsumer
	first     stepConsumer
	certainty Certainty
	condition condition
	// expected says who may create the object; only for expectedSoon.
	expected string
}

// condition is the reason why a missing object may not matter.
type condition int

const (
	unconditional condition = iota
	ifStepRuns              // the step that needs it may not run
	ifPodStays              // the pod may turn out not to need it
	unlessCreated           // a step of the Workflow may create it
	expectedSoon            // something else may be about to create it
)

// missing returns what a dependency lacks; ok is false if it is satisfied. What the Workflow itself creates in time is not missing.
func (d workflowDependency) missing(status ObjectStatus, fc *forecast.Forecast) (m missingObject, ok bool) {
	m = missingObject{ObjectRef: d.ObjectRef, exists: status.Exists}
	satisfied := func(c stepConsumer) bool {
		return status.Exists && (c.key == "" || forecast.HasTag(c.key) || status.Keys.Has(c.key))
	}
	consumers := slices.DeleteFunc(slices.Clone(d.consumers), satisfied)
	if len(consumers) == 0 {
		return m, false // without a search for creators
	}
	creators := fc.Creators(d.Kind, d.Name)
	for _, c := range consumers {
		switch {
		case c.consumer == imagePull:
		case c.unknown != "":
			c.condition = ifPodStays
		case c.certainty == Possible:
			c.condition = ifStepRuns
		}
		switch creators.Provide(c.pod) {
		case Certain:
			continue
		case Possible:
			c.certainty, c.condition = min(c.certainty, Possible), unlessCreated
		}
		m.consumers = append(m.consumers, c)
	}
	if len(m.consumers) == 0 {
		return m, false
	}
	m.setFirst()
	m.keys = keysOf(m.consumers)
	return m, true
}

// setFirst chooses the consumer that the finding is about: the first of the surest ones, and rather not an image pull.
func (m *missingObject) setFirst() {
	m.first = m.consumers[0]
	for _, c := range m.consumers[1:] {
		if c.certainty > m.first.certainty || c.certainty == m.first.certainty && m.first.consumer == imagePull {
			m.first = c
		}
	}
	m.certainty, m.condition = m.first.certainty, m.first.condition
}

// keysOf returns the keys that consumers need, each once, in the Workflow's order.
func keysOf(consumers []stepConsumer) []string {
	var keys orderedSet
	for _, c := range consumers {
		if c.key != "" && !forecast.HasTag(c.key) {
			keys.add(c.key)
		}
	}
	return keys.list
}

// title names the object in messages: Secret 'credentials'.
func (o ObjectRef) title() string { return fmt.Sprintf("%s '%s'", o.Kind, o.Name) }

// inNamespaceOf returns " in namespace 'x'" for objects of namespaced kinds, and an empty string for others.
func inNamespaceOf(kind, namespace string) string {
	if kind == PriorityClass {
		return ""
	}
	return fmt.Sprintf(" in namespace '%s'", namespace)
}
