package quota

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// matches reports whether every scope of a quota fits the pod, which has the API server's defaults. That the quota names
// something that pods use, which the API server asks as well, is true of every quota that can refuse one here.
// Source: k8s.io/apiserver v0.37.2 pkg/quota/v1/generic/evaluator.go Matches.
func matches(q Quota, pod *defaultedPod) bool {
	for _, scope := range q.Scopes {
		if !scopeMatches(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, pod) {
			return false
		}
	}
	if q.ScopeSelector != nil {
		for _, r := range q.ScopeSelector.MatchExpressions {
			if !scopeMatches(r, pod) {
				return false
			}
		}
	}
	return true
}

// scopeMatches reports whether one scope of a quota fits the pod.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go podMatchesScopeFunc.
func scopeMatches(r corev1.ScopedResourceSelectorRequirement, pod *defaultedPod) bool {
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return pod.ActiveDeadlineSeconds != nil && *pod.ActiveDeadlineSeconds >= 0
	case corev1.ResourceQuotaScopeNotTerminating:
		return pod.ActiveDeadlineSeconds == nil || *pod.ActiveDeadlineSeconds < 0
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort(pod)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort(pod)
	case corev1.ResourceQuotaScopePriorityClass:
		return priorityClassMatches(r, pod.PriorityClassName)
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return crossesNamespaces(pod.Affinity)
	}
	return false // VolumeAttributesClass is for claims; a scope that nobody knows matches nothing
}

func priorityClassMatches(r corev1.ScopedResourceSelectorRequirement, class string) bool {
	switch r.Operator {
	case corev1.ScopeSelectorOpExists:
		return class != ""
	case corev1.ScopeSelectorOpDoesNotExist:
		return class == ""
	case corev1.ScopeSelectorOpIn:
		return slices.Contains(r.Values, class)
	case corev1.ScopeSelectorOpNotIn:
		return !slices.Contains(r.Values, class)
	}
	return false
}

// bestEffort reports whether no container of the pod asks for any cpu or memory, or the pod as a whole if that decides. An
// amount of zero asks for nothing. Until 1.36 the pod as a whole decides even where it has resources and names none.
// Source: k8s.io/kubernetes v1.37.2 and v1.36.3 pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS.
func bestEffort(pod *defaultedPod) bool {
	asking := slices.Concat(pod.InitContainers, pod.Containers)
	if pod.whole != nil {
		asking = []corev1.Container{{Resources: *pod.whole}}
	}
	for _, c := range asking {
		for _, list := range []corev1.ResourceList{c.Resources.Requests, c.Resources.Limits} {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if quantity := list[name]; quantity.Sign() > 0 {
					return false
				}
			}
		}
	}
	return true
}

// crossesNamespaces reports whether a term of pod affinity looks beyond the pod's own namespace.
func crossesNamespaces(affinity *corev1.Affinity) bool {
	if affinity == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	add := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		terms = append(terms, required...)
		for _, p := range preferred {
			terms = append(terms, p.PodAffinityTerm)
		}
	}
	if a := affinity.PodAffinity; a != nil {
		add(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		add(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool {
		return len(t.Namespaces) > 0 || t.NamespaceSelector != nil
	})
}

// HasScope reports whether a quota of the namespace has a scope.
func (n Namespace) HasScope(scope corev1.ResourceQuotaScope) bool {
	return slices.ContainsFunc(n.Quotas, func(q Quota) bool { return slices.Contains(ScopeNames(q), scope) })
}

// ScopeNames are all scopes of a quota, from either of its fields.
func ScopeNames(q Quota) []corev1.ResourceQuotaScope {
	names := slices.Clone(q.Scopes)
	if q.ScopeSelector != nil {
		for _, r := range q.ScopeSelector.MatchExpressions {
			names = append(names, r.ScopeName)
		}
	}
	return names
}
