package quota

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// constrainedResources are the only resources of a quota that every container must set.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go validationSet.
var constrainedResources = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceMemory,
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
}

// ConstrainsContainers reports whether a quota with these hard limits requires containers to set any resource.
func ConstrainsContainers(hard corev1.ResourceList) bool {
	return slices.ContainsFunc(constrainedResources, func(name corev1.ResourceName) bool { _, ok := hard[name]; return ok })
}

// missingResources returns the resources of a quota that containers or init containers of a pod don't set. Any amount
// counts as set, even "0". Ephemeral containers need not set any.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go Constraints.
func missingResources(hard corev1.ResourceList, pod *corev1.PodSpec) []Missing {
	var out []Missing
	for _, name := range constrainedResources {
		if _, ok := hard[name]; !ok {
			continue
		}
		var containers []string
		for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
			if !setsResource(c.Resources, name) {
				containers = append(containers, c.Name)
			}
		}
		if len(containers) > 0 {
			slices.Sort(containers)
			out = append(out, Missing{Resource: name, Containers: slices.Compact(containers)})
		}
	}
	return out
}

// setsResource reports whether r sets the request or the limit that a quota counts under name.
func setsResource(r corev1.ResourceRequirements, name corev1.ResourceName) bool {
	list := r.Requests
	if IsLimit(name) {
		list = r.Limits
	}
	_, ok := list[ComputeResource(name)]
	return ok
}
