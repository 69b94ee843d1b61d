package quota

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

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

// Refusal is what one quota holds against a pod.
type Refusal struct {
	Quota string
	// Missing names, for each resource of the quota in sorted order, the containers that don't set it.
	Missing []Missing
}

// Missing is one resource that containers must name and don't.
type Missing struct {
	Resource corev1.ResourceName
	// Containers are their names, sorted, each once.
	Containers []string
}

// String is the API server's own wording since Kubernetes 1.24: "must specify cpu for: init,wait; memory for: init,wait".
func (r Refusal) String() string {
	parts := make([]string, len(r.Missing))
	for i, m := range r.Missing {
		parts[i] = fmt.Sprintf("%s for: %s", m.Resource, strings.Join(m.Containers, ","))
	}
	return "must specify " + strings.Join(parts, "; ")
}

// forcing are the only names of a quota that make a container name something.
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go validationSet.
var forcing = []corev1.ResourceName{
	corev1.ResourceCPU, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceMemory,
	corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
}

// Forces reports whether a quota with these limits asks anything of containers.
func Forces(hard corev1.ResourceList) bool {
	return slices.ContainsFunc(forcing, func(name corev1.ResourceName) bool { _, ok := hard[name]; return ok })
}

// Decide returns the refusal of each quota that would not let the pod in, in the order of quotas; none means that it is
// let in. spec is the pod as it is submitted and is not changed.
func Decide(spec *corev1.PodSpec, quotas []Quota, limitRanges []corev1.LimitRange) []Refusal {
	pod := Defaults(spec, limitRanges)
	if hasPodResources(pod) {
		return nil
	}
	var out []Refusal
	for _, q := range quotas {
		if !matches(q, pod) {
			continue
		}
		if missing := missing(q.Hard, pod); len(missing) > 0 {
			out = append(out, Refusal{Quota: q.Name, Missing: missing})
		}
	}
	return out
}

// missing lists what the containers and init containers of a pod lack. A name is there if its key is, whatever the
// amount: "0" counts. Ephemeral containers are not asked.
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
	list, key := r.Requests, name
	switch {
	case strings.HasPrefix(string(name), "limits."):
		list, key = r.Limits, name[len("limits."):]
	case strings.HasPrefix(string(name), "requests."):
		key = name[len("requests."):]
	}
	_, ok := list[key]
	return ok
}

// hasPodResources reports whether the pod as a whole names a compute resource, which lifts the demand on its containers.
// Source: k8s.io/component-helpers v0.37.2 resource/helpers.go IsPodLevelResourcesSet.
func hasPodResources(pod *corev1.PodSpec) bool {
	if pod.Resources == nil {
		return false
	}
	for _, list := range []corev1.ResourceList{pod.Resources.Requests, pod.Resources.Limits} {
		for name := range list {
			if name == corev1.ResourceCPU || name == corev1.ResourceMemory || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
				return true
			}
		}
	}
	return false
}
