package quota

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Excess is an amount of which a single pod needs more than a quota allows in all.
type Excess struct {
	Quota string
	Name  corev1.ResourceName
	// Needs is what the pod comes to, and Hard what the quota allows.
	Needs, Hard resource.Quantity
}

// Excesses lists, in the order of the quotas and their names, what keeps a pod out for ever although nothing else runs. No part of
// a [Verdict]: the API server lets such a pod wait.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go PodUsageFunc.
func (n Namespace) Excesses(spec *corev1.PodSpec) []Excess {
	var out []Excess
	p := n.applyDefaults(spec, n.LimitRanges)
	requests, limits := p.requests(), p.limits()
	for _, q := range n.Quotas {
		if !matches(q, &p) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(q.Hard)) {
			needs, ok := requests[ComputeResource(name)]
			switch {
			case name == corev1.ResourcePods || name == "count/pods":
				needs, ok = resource.MustParse("1"), true
			case IsLimit(name):
				needs, ok = limits[ComputeResource(name)]
			case !slices.Contains(forcing, name):
				continue
			}
			if hard := q.Hard[name]; ok && needs.Cmp(hard) > 0 {
				out = append(out, Excess{Quota: q.Name, Name: name, Needs: needs, Hard: hard})
			}
		}
	}
	return out
}

// NeverCounted reports whether nothing is ever counted under a name that a quota may have: that of an extended resource, such as
// nvidia.com/gpu, which quotas know with requests. before it only.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go isExtendedResourceNameForQuota.
func NeverCounted(name corev1.ResourceName) bool {
	of, text := ComputeResource(name), string(name)
	switch {
	case strings.HasPrefix(text, "requests."), strings.HasPrefix(text, "count/"):
		return false
	case strings.Contains(text, "k8s.io/"):
		return false // storage and device classes have names like gold.storageclass.storage.k8s.io/requests.storage
	}
	return isExtended(of)
}
