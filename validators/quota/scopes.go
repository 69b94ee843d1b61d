package quota

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// matchesScopes reports whether a pod matches every scope of a quota. The API server also requires that the quota limits a
// resource that pods use. Every quota that can refuse a pod here does.
// Source: k8s.io/apiserver v0.37.2 pkg/quota/v1/generic/evaluator.go Matches.
func matchesScopes(q Quota, pod *defaultedPod) bool {
	for _, scope := range q.Scopes {
		if !matchesScope(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, pod) {
			return false
		}
	}
	if q.ScopeSelector != nil {
		for _, r := range q.ScopeSelector.MatchExpressions {
			if !matchesScope(r, pod) {
				return false
			}
		}
	}
	return true
}

// matchesScope reports whether a pod matches one scope of a quota.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go podMatchesScopeFunc.
func matchesScope(r corev1.ScopedResourceSelectorRequirement, pod *defaultedPod) bool {
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return pod.ActiveDeadlineSeconds != nil && *pod.ActiveDeadlineSeconds >= 0
	case corev1.ResourceQuotaScopeNotTerminating:
		return pod.ActiveDeadlineSeconds == nil || *pod.ActiveDeadlineSeconds < 0
	case corev1.ResourceQuotaScopeBestEffort:
		return isBestEffort(pod)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !isBestEffort(pod)
	case corev1.ResourceQuotaScopePriorityClass:
		return matchesPriorityClass(r, pod.PriorityClassName)
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return crossesNamespaces(pod.Affinity)
	}
	return false // VolumeAttributesClass selects claims, and an unsupported scope matches nothing
}

func matchesPriorityClass(r corev1.ScopedResourceSelectorRequirement, class string) bool {
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

// isBestEffort reports whether a pod has the quality of service BestEffort: neither a request nor a limit for cpu or memory
// above zero. The pod-level resources decide if there are any, otherwise all containers do. Up to 1.36, pod-level resources
// decide even if they are set but empty.
// Source: k8s.io/kubernetes v1.37.2 and v1.36.3 pkg/apis/core/v1/helper/qos/qos.go ComputePodQOS.
func isBestEffort(pod *defaultedPod) bool {
	containers := slices.Concat(pod.InitContainers, pod.Containers)
	if pod.qosResources != nil {
		containers = []corev1.Container{{Resources: *pod.qosResources}}
	}
	for _, c := range containers {
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

// crossesNamespaces reports whether a term of pod affinity or anti-affinity selects pods of other namespaces.
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

// HasScope reports whether any quota of the namespace has the given scope.
func (n Namespace) HasScope(scope corev1.ResourceQuotaScope) bool {
	return slices.ContainsFunc(n.Quotas, func(q Quota) bool { return slices.Contains(ScopeNames(q), scope) })
}

// ScopeNames returns the scopes of a quota, from the field scopes and from the scope selector.
func ScopeNames(q Quota) []corev1.ResourceQuotaScope {
	names := slices.Clone(q.Scopes)
	if q.ScopeSelector != nil {
		for _, r := range q.ScopeSelector.MatchExpressions {
			names = append(names, r.ScopeName)
		}
	}
	return names
}
