package quota

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// forcing are the only names of a quota that make a container name something.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go validationSet.
var forcing = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceMemory,
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
}

// ConstrainsContainers reports whether a quota with these limits asks anything of containers.
func ConstrainsContainers(hard corev1.ResourceList) bool {
	return slices.ContainsFunc(forcing, func(name corev1.ResourceName) bool { _, ok := hard[name]; return ok })
}

// missing lists what the containers and init containers of a pod lack. A name is there if its key is, whatever the
// amount: "0" counts. Ephemeral containers are not asked.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go Constraints.
func missing(hard corev1.ResourceList, pod *corev1.PodSpec) []Missing {
	var out []Missing
	for _, name := range forcing {
		if _, ok := hard[name]; !ok {
			continue
		}
		var lacking []string
		for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
			if !provides(c.Resources, name) {
				lacking = append(lacking, c.Name)
			}
		}
		if len(lacking) > 0 {
			slices.Sort(lacking)
			out = append(out, Missing{Resource: name, Containers: slices.Compact(lacking)})
		}
	}
	return out
}

func provides(r corev1.ResourceRequirements, name corev1.ResourceName) bool {
	list := r.Requests
	if IsLimit(name) {
		list = r.Limits
	}
	_, ok := list[ComputeResource(name)]
	return ok
}

// IsLimit reports whether a name of a quota counts limits, as limits.cpu does; others count requests.
func IsLimit(name corev1.ResourceName) bool { return strings.HasPrefix(string(name), "limits.") }

// ComputeResource is the resource that a name of a quota counts: cpu for requests.cpu, limits.cpu and cpu itself.
func ComputeResource(name corev1.ResourceName) corev1.ResourceName {
	resource := strings.TrimPrefix(string(name), "requests.")
	return corev1.ResourceName(strings.TrimPrefix(resource, "limits."))
}
