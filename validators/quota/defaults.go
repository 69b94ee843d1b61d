package quota

import (
	corev1 "k8s.io/api/core/v1"
)

// Defaults returns the pod as the API server would see it when it asks the quotas: requests filled in from limits, then
// what the namespace's LimitRanges add. spec is not changed.
func Defaults(spec *corev1.PodSpec, limitRanges []corev1.LimitRange) *corev1.PodSpec {
	pod := spec.DeepCopy()
	each(pod, func(r *corev1.ResourceRequirements) {
		fill(&r.Requests, r.Limits)
	})
	for i := range limitRanges {
		for _, item := range limitRanges[i].Spec.Limits {
			if item.Type != corev1.LimitTypeContainer {
				continue // other types only check
			}
			limits, requests := itemDefaults(item)
			each(pod, func(r *corev1.ResourceRequirements) {
				fill(&r.Limits, limits)
				fill(&r.Requests, requests)
			})
		}
	}
	return pod
}

// itemDefaults are the limits and requests that an item of type Container gives to a container without them. The API
// server completes an item when it stores it: default from max, defaultRequest from default and then from min. Doing it
// again changes nothing, and an object that did not come from an API server needs it.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1/defaults.go SetDefaults_LimitRangeItem.
func itemDefaults(item corev1.LimitRangeItem) (limits, requests corev1.ResourceList) {
	fill(&limits, item.Default)
	fill(&limits, item.Max)
	fill(&requests, item.DefaultRequest)
	fill(&requests, limits)
	fill(&requests, item.Min)
	return limits, requests
}

// each calls do for every container that a quota asks.
func each(pod *corev1.PodSpec, do func(*corev1.ResourceRequirements)) {
	for i := range pod.InitContainers {
		do(&pod.InitContainers[i].Resources)
	}
	for i := range pod.Containers {
		do(&pod.Containers[i].Resources)
	}
}

// fill adds to list what only from has.
func fill(list *corev1.ResourceList, from corev1.ResourceList) {
	for name, quantity := range from {
		if _, ok := (*list)[name]; ok {
			continue
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = quantity.DeepCopy()
	}
}
