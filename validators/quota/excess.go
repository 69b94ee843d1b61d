package quota

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Excess is a resource of which a single pod requests more than a quota allows in total.
type Excess struct {
	// Quota is the name of the ResourceQuota.
	Quota string
	// Resource is the name under which the quota limits it, such as limits.cpu.
	Resource corev1.ResourceName
	// Requested is the pod's amount, and Hard the quota's.
	Requested, Hard resource.Quantity
}

// Excesses returns the resources for which a pod can never fit into a quota, even if nothing else runs in the namespace. They
// are sorted by the order of the quotas, then by resource. They are not part of a [Verdict]: the API server refuses such a pod
// with "exceeded quota", and Argo retries it for ever.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go PodUsageFunc.
func (n Namespace) Excesses(spec *corev1.PodSpec) []Excess {
	var out []Excess
	p := n.applyDefaults(spec, n.LimitRanges)
	requests, limits := p.podRequests(), p.podLimits()
	for _, q := range n.Quotas {
		if !matchesScopes(q, &p) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(q.Hard)) {
			requested, ok := requests[ComputeResource(name)]
			switch {
			case name == corev1.ResourcePods || name == "count/pods":
				requested, ok = resource.MustParse("1"), true
			case IsLimit(name):
				requested, ok = limits[ComputeResource(name)]
			case !slices.Contains(constrainedResources, name):
				continue
			}
			if hard := q.Hard[name]; ok && requested.Cmp(hard) > 0 {
				out = append(out, Excess{Quota: q.Name, Resource: name, Requested: requested, Hard: hard})
			}
		}
	}
	return out
}
