package quota

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// defaultedPod is a pod as the gates of the API server see it.
type defaultedPod struct {
	corev1.PodSpec
	// written is the pod as it was submitted.
	written *corev1.PodSpec
	// whole are the resources that the pod's quality of service follows from; its containers' if nil.
	whole *corev1.ResourceRequirements
}

// Minor versions of Kubernetes from which on its API server does something by default.
// Source: k8s.io/kubernetes v1.37.2 pkg/features/kube_features.go SidecarContainers, PodLevelResources,
// PodLevelResourcesFixDefaulting, PodLevelResourcesFixKubeletQOSClass; v1.33.13 pkg/apis/core/helper/helpers.go
// standardResourceQuotaScopes.
const (
	knowsSidecars         = 29
	knowsScopeOfClaims    = 33
	knowsPodLevel         = 34
	completesPodsAtLast   = 37
	passesOverEmptyWholes = 37
)

// since reports whether the API server is of the given minor version or a newer one.
func (n Namespace) since(minor int) bool { return since(n.Minor, minor) }

func since(server, minor int) bool { return server == 0 || server >= minor }

// applyDefaults fills in what the API server fills in, in its order: requests from limits, the resources of the pod as a whole,
// what the LimitRanges add, the priority.
// Source: k8s.io/kubernetes v1.37.2 and v1.36.3 pkg/apis/core/v1/defaults.go SetDefaults_Pod,
// plugin/pkg/admission/limitranger/admission.go PodMutateLimitFunc, plugin/pkg/admission/priority,
// pkg/registry/core/pod/strategy.go PrepareForCreate.
func (n Namespace) applyDefaults(spec *corev1.PodSpec, limitRanges []corev1.LimitRange) defaultedPod {
	p := defaultedPod{PodSpec: *spec, written: spec}
	p.InitContainers, p.Containers, p.Resources = slices.Clone(spec.InitContainers), slices.Clone(spec.Containers), spec.Resources.DeepCopy()
	if !n.since(knowsSidecars) {
		for i := range p.InitContainers {
			p.InitContainers[i].RestartPolicy = nil
		}
	}
	if !n.since(knowsPodLevel) {
		p.Resources = nil
	}
	p.each(func(c *corev1.Container) { fill(&c.Resources.Requests, c.Resources.Limits) })
	if !n.since(completesPodsAtLast) {
		p.completeHugePages()
		if p.Resources != nil && len(p.Resources.Limits) > 0 {
			p.completeRequests()
		}
	}
	for i := range limitRanges {
		limits, requests := containerDefaults(&limitRanges[i])
		p.each(func(c *corev1.Container) {
			fill(&c.Resources.Limits, limits)
			fill(&c.Resources.Requests, requests)
		})
	}
	if n.since(completesPodsAtLast) {
		p.completeHugePages()
		p.completeRequests()
		p.completeLimits()
	}
	if !n.since(passesOverEmptyWholes) || p.hasResources() {
		p.whole = p.Resources
	}
	if p.PriorityClassName == "" {
		p.PriorityClassName = n.DefaultPriorityClass
	}
	return p
}

// containerDefaults are the limits and requests that a LimitRange gives to containers without them. The API server completes
// an item when it stores it: default from max, defaultRequest from default and then from min. Doing it again changes
// nothing, and an object that did not come from an API server needs it. Of two items the later wins.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1/defaults.go SetDefaults_LimitRangeItem,
// plugin/pkg/admission/limitranger/admission.go defaultContainerResourceRequirements.
func containerDefaults(l *corev1.LimitRange) (limits, requests corev1.ResourceList) {
	for _, item := range slices.Backward(l.Spec.Limits) {
		if item.Type != corev1.LimitTypeContainer {
			continue // other types only check
		}
		var itsLimits, itsRequests corev1.ResourceList
		fill(&itsLimits, item.Default)
		fill(&itsLimits, item.Max)
		fill(&itsRequests, item.DefaultRequest)
		fill(&itsRequests, itsLimits)
		fill(&itsRequests, item.Min)
		fill(&limits, itsLimits)
		fill(&requests, itsRequests)
	}
	return limits, requests
}

// each calls do for every container that has resources: ephemeral ones don't.
func (p *defaultedPod) each(do func(*corev1.Container)) {
	for _, containers := range [][]corev1.Container{p.InitContainers, p.Containers} {
		for i := range containers {
			do(&containers[i])
		}
	}
}

// fill makes a list of one and of what only the other has.
func fill(list *corev1.ResourceList, from corev1.ResourceList) {
	copied := false
	for name, quantity := range from {
		if _, ok := (*list)[name]; ok {
			continue
		}
		if !copied {
			all := make(corev1.ResourceList, len(*list)+len(from))
			maps.Copy(all, *list)
			*list, copied = all, true
		}
		(*list)[name] = quantity
	}
}
