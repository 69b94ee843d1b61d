package quota

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Namespace is what decides about the pods of a namespace.
type Namespace struct {
	Quotas      []Quota
	LimitRanges []corev1.LimitRange
	// DefaultPriorityClass is the cluster's PriorityClass for pods that name none; empty if it has none.
	DefaultPriorityClass string
	// Minor is the minor version of Kubernetes, such as 34; 0 where it is not known, which counts as the newest.
	Minor int
}

// Quota is a ResourceQuota as far as it matters here.
type Quota struct {
	// Name of the ResourceQuota.
	Name string
	// Hard are the limits that the quota sets; only their names matter. For a quota that is enforced now these are
	// status.hard, for one to come spec.hard.
	Hard corev1.ResourceList
	// Scopes and ScopeSelector are the quota's; all of them must match a pod.
	Scopes        []corev1.ResourceQuotaScope
	ScopeSelector *corev1.ScopeSelector
}

// Gate is a part of the API server that may refuse a pod. A pod gets to the next one if this one lets it pass.
type Gate int

// The gates, in the order in which a pod gets to them.
const (
	Validation Gate = iota
	LimitRanger
	ResourceQuota
)

// Violation is one thing that the API server holds against a pod.
type Violation struct {
	Gate Gate
	// Object is the name of the LimitRange or the ResourceQuota; empty for Validation.
	Object string
	// Missing names, for each resource of the quota in sorted order, the containers that don't set it. Only of a ResourceQuota.
	Missing []Missing
	// Container that is outside of what is allowed, empty for the pod as a whole, and the resource. Not of a ResourceQuota.
	Container string
	Resource  corev1.ResourceName
	// Defaulted says that the container has its value from a LimitRange.
	Defaulted bool
	// Message is what the API server says, without the pod's name.
	Message string
}

// Missing is one resource that containers must name and don't.
type Missing struct {
	Resource corev1.ResourceName
	// Containers are their names, sorted, each once.
	Containers []string
}

// MustSpecify is the API server's own wording since Kubernetes 1.24: "must specify cpu for: init,wait; memory for: init,wait".
func MustSpecify(missing []Missing) string {
	parts := make([]string, len(missing))
	for i, m := range missing {
		parts[i] = fmt.Sprintf("%s for: %s", m.Resource, strings.Join(m.Containers, ","))
	}
	return "must specify " + strings.Join(parts, "; ")
}

// Verdict is what the API server makes of a pod.
type Verdict struct {
	// Violations of all gates; the API server speaks of the first gate's only. None if the pod is let in.
	Violations []Violation
	// Certain says that the pod is refused for sure. Otherwise it may depend on the order in which the API server takes several
	// LimitRanges, which is not fixed.
	Certain bool

	ways [][]Violation // of each order that was tried
}

// CertainFor reports whether the pod is refused for sure even if only those refusals stand of which stands is true.
func (v Verdict) CertainFor(stands func(Violation) bool) bool {
	return v.Certain && !slices.ContainsFunc(v.ways, func(refusals []Violation) bool { return !slices.ContainsFunc(refusals, stands) })
}

// Decide returns what the API server makes of a pod. spec is the pod as it is submitted and is not changed.
func (n Namespace) Decide(spec *corev1.PodSpec) Verdict {
	ways, all := orders(n.LimitRanges)
	verdict := Verdict{Certain: all}
	for _, limitRanges := range ways {
		refusals := n.decide(spec, limitRanges)
		verdict.Certain, verdict.ways = verdict.Certain && len(refusals) > 0, append(verdict.ways, refusals)
		for _, r := range refusals {
			if !slices.ContainsFunc(verdict.Violations, r.Is) {
				verdict.Violations = append(verdict.Violations, r)
			}
		}
	}
	slices.SortStableFunc(verdict.Violations, func(a, b Violation) int { return int(a.Gate - b.Gate) })
	return verdict
}

// Is reports whether two refusals are the same.
func (r Violation) Is(other Violation) bool {
	return r.Gate == other.Gate && r.Object == other.Object && r.Container == other.Container && r.Resource == other.Resource && r.Message == other.Message
}

// decide is Decide for one order of the LimitRanges.
func (n Namespace) decide(spec *corev1.PodSpec, limitRanges []corev1.LimitRange) []Violation {
	p := n.applyDefaults(spec, limitRanges)
	out := p.resourceViolations()
	for i := range limitRanges {
		out = append(out, p.limitRangeViolations(&limitRanges[i])...)
	}
	if p.hasResources() {
		return out // then no container needs to name any
	}
	for _, q := range n.Quotas {
		if !matches(q, &p) {
			continue
		}
		if missing := missing(q.Hard, &p.PodSpec); len(missing) > 0 {
			out = append(out, Violation{Gate: ResourceQuota, Object: q.Name, Missing: missing, Message: fmt.Sprintf("failed quota: %s: %s", q.Name, MustSpecify(missing))})
		}
	}
	return out
}

// maxOrders bounds the LimitRanges of which every order is tried.
const maxOrders = 4

// orders are the orders in which the API server may take LimitRanges, and whether these are all. Those that give no defaults
// make no difference, and stay where they are.
func orders(limitRanges []corev1.LimitRange) (ways [][]corev1.LimitRange, all bool) {
	if len(limitRanges) < 2 {
		return [][]corev1.LimitRange{limitRanges}, true
	}
	var giving, others []corev1.LimitRange
	for _, l := range limitRanges {
		if slices.ContainsFunc(l.Spec.Limits, func(i corev1.LimitRangeItem) bool { return i.Type == corev1.LimitTypeContainer }) {
			giving = append(giving, l)
		} else {
			others = append(others, l)
		}
	}
	if len(giving) > maxOrders {
		for i := range giving { // each of them first, at least
			ways = append(ways, slices.Concat(giving[i:], giving[:i], others))
		}
		return ways, false
	}
	for _, order := range permutations(giving) {
		ways = append(ways, append(order, others...))
	}
	return ways, true
}

func permutations(list []corev1.LimitRange) [][]corev1.LimitRange {
	if len(list) < 2 {
		return [][]corev1.LimitRange{list}
	}
	var out [][]corev1.LimitRange
	for i := range list {
		rest := slices.Concat(list[:i], list[i+1:])
		for _, p := range permutations(rest) {
			out = append(out, append([]corev1.LimitRange{list[i]}, p...))
		}
	}
	return out
}
