package quota

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Namespace holds everything in a namespace and its cluster that decides which pods the API server admits.
type Namespace struct {
	Quotas      []Quota
	LimitRanges []corev1.LimitRange
	// DefaultPriorityClass is the cluster's default PriorityClass, which pods without a class get. Empty if there is none.
	DefaultPriorityClass string
	// Minor is the minor version of Kubernetes, such as 34. Unknown is 0, which counts as the newest.
	Minor int
}

// Quota holds the fields of a ResourceQuota that matter to admission.
type Quota struct {
	// Name is the name of the ResourceQuota.
	Name string
	// Hard holds the limits that the quota sets: status.hard for the enforced limits, spec.hard for the desired ones.
	// Only [Namespace.Excesses] reads the amounts.
	Hard corev1.ResourceList
	// Scopes and ScopeSelector are those of the ResourceQuota. All of them must match a pod.
	Scopes        []corev1.ResourceQuotaScope
	ScopeSelector *corev1.ScopeSelector
}

// Stage is a part of the API server that may refuse a pod. A pod reaches a stage only if the previous one accepts it.
type Stage int

// The stages, in the order in which the API server runs them.
const (
	Validation Stage = iota
	LimitRanger
	ResourceQuota
)

// Violation is one reason for which the API server refuses a pod.
type Violation struct {
	Stage Stage
	// Object is the name of the LimitRange or the ResourceQuota. Empty for Validation.
	Object string
	// Missing lists the resources that the quota counts and the containers that don't set them, sorted by resource.
	// Set only for ResourceQuota.
	Missing []Missing
	// Container is the container with the invalid value, empty for the pod itself. Resource is the resource. Neither is set
	// for ResourceQuota.
	Container string
	Resource  corev1.ResourceName
	// Defaulted reports whether the value comes from a LimitRange.
	Defaulted bool
	// Message is the API server's message, without the pod's name.
	Message string
}

// Equal reports whether two violations have the same stage, object, container, resource and message.
func (v Violation) Equal(other Violation) bool {
	return v.Stage == other.Stage && v.Object == other.Object && v.Container == other.Container &&
		v.Resource == other.Resource && v.Message == other.Message
}

// Missing is a resource that a quota counts and that some containers don't set.
type Missing struct {
	Resource corev1.ResourceName
	// Containers holds the names of those containers, sorted and without duplicates.
	Containers []string
}

// MustSpecifyMessage returns the message that the API server has used for missing resources since Kubernetes 1.24:
// "must specify cpu for: init,wait; memory for: init,wait".
func MustSpecifyMessage(missing []Missing) string {
	parts := make([]string, len(missing))
	for i, m := range missing {
		parts[i] = fmt.Sprintf("%s for: %s", m.Resource, strings.Join(m.Containers, ","))
	}
	return "must specify " + strings.Join(parts, "; ")
}

// Verdict is the outcome of the evaluation of a pod.
type Verdict struct {
	// Violations holds the violations of all stages, although the API server reports only those of the first stage that
	// refuses. Empty if the pod is admitted.
	Violations []Violation
	// Certain reports whether the pod is refused in any case. If it is false and there are violations, the outcome may depend
	// on the order in which the API server applies several LimitRanges, which is not fixed.
	Certain bool

	violationsByOrder [][]Violation // one element for each order of the LimitRanges that was evaluated
}

// CertainFor reports whether the pod is refused in any case, even if only the violations for which counts returns true are
// taken into account.
func (v Verdict) CertainFor(counts func(Violation) bool) bool {
	admitted := func(violations []Violation) bool { return !slices.ContainsFunc(violations, counts) }
	return v.Certain && !slices.ContainsFunc(v.violationsByOrder, admitted)
}

// Evaluate predicts whether the API server admits a pod. spec is the pod as it is submitted. It is not modified.
func (n Namespace) Evaluate(spec *corev1.PodSpec) Verdict {
	orders, complete := limitRangeOrders(n.LimitRanges)
	verdict := Verdict{Certain: complete}
	for _, limitRanges := range orders {
		violations := n.evaluateInOrder(spec, limitRanges)
		verdict.Certain = verdict.Certain && len(violations) > 0
		verdict.violationsByOrder = append(verdict.violationsByOrder, violations)
		for _, v := range violations {
			if !slices.ContainsFunc(verdict.Violations, v.Equal) {
				verdict.Violations = append(verdict.Violations, v)
			}
		}
	}
	slices.SortStableFunc(verdict.Violations, func(a, b Violation) int { return int(a.Stage - b.Stage) })
	return verdict
}

// evaluateInOrder returns the violations for one order of the LimitRanges.
func (n Namespace) evaluateInOrder(spec *corev1.PodSpec, limitRanges []corev1.LimitRange) []Violation {
	p := n.applyDefaults(spec, limitRanges)
	out := p.resourceViolations()
	for i := range limitRanges {
		out = append(out, p.limitRangeViolations(&limitRanges[i])...)
	}
	if p.hasPodLevelResources() {
		return out // quotas then require nothing of the containers
	}
	for _, q := range n.Quotas {
		if !matchesScopes(q, &p) {
			continue
		}
		if missing := missingResources(q.Hard, &p.PodSpec); len(missing) > 0 {
			out = append(out, Violation{
				Stage: ResourceQuota, Object: q.Name, Missing: missing,
				Message: fmt.Sprintf("failed quota: %s: %s", q.Name, MustSpecifyMessage(missing)),
			})
		}
	}
	return out
}
