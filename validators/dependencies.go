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
	steps       []string
	certainty   Certainty
	unknown     string // why the pod may turn out not to have the dependency
	hasDeadline bool
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
			c := stepConsumer{d, pod.Origin.Steps, podCertainty(pod), pod.Unknown, hasDeadline}
			if d.consumer == imagePull {
				c.certainty = min(c.certainty, Possible)
			}
			add(c)
		}
	}
	for _, h := range fc.HeaderSecrets {
		d := podDependency{ObjectRef{Secret, h.Secret}, h.Key, func() *field.Path { return h.Origin.Path }, httpRequest}
		add(stepConsumer{d, h.Origin.Steps, h.Origin.Certainty, "", false})
	}
	return deps
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
}

// condition is the reason why a missing object may not matter.
type condition int

const (
	unconditional condition = iota
	ifStepRuns              // the step that needs it may not run
	ifPodStays              // the pod may turn out not to need it
	unlessCreated           // an earlier step may create it
)

// missing returns what a dependency lacks; ok is false if it is satisfied.
func (d workflowDependency) missing(status ObjectStatus, fc *forecast.Forecast) (m missingObject, ok bool) {
	consumers := d.consumers
	if status.Exists {
		consumers = slices.DeleteFunc(slices.Clone(consumers), func(c stepConsumer) bool {
			return c.key == "" || forecast.HasTag(c.key) || status.Keys.Has(c.key)
		})
	}
	if len(consumers) == 0 {
		return m, false
	}
	m = missingObject{ObjectRef: d.ObjectRef, exists: status.Exists, keys: keysOf(consumers), consumers: consumers, first: consumers[0]}
	for _, c := range consumers {
		if c.certainty > m.certainty || c.certainty == m.certainty && m.first.consumer == imagePull {
			m.certainty, m.first = c.certainty, c
		}
	}
	switch {
	case m.first.consumer == imagePull:
	case m.first.unknown != "":
		m.condition = ifPodStays
	case m.certainty == Possible:
		m.condition = ifStepRuns
	}
	switch fc.Provides(d.Kind, d.Name) {
	case Certain:
		return m, false
	case Possible:
		m.certainty, m.condition = min(m.certainty, Possible), unlessCreated
	}
	return m, true
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
