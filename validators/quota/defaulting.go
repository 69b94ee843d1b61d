package quota

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// defaultedPod is a pod after the API server has applied its defaults.
type defaultedPod struct {
	corev1.PodSpec
	// submitted is the pod before defaulting.
	submitted *corev1.PodSpec
	// qosResources are the pod-level resources that decide the pod's quality of service. If nil, its containers decide.
	qosResources *corev1.ResourceRequirements
}

// applyDefaults applies the API server's defaults in its order: requests from limits, pod-level resources, the defaults of
// the LimitRanges, the priority class.
// Source: k8s.io/kubernetes v1.37.2 and v1.36.3 pkg/apis/core/v1/defaults.go SetDefaults_Pod,
// plugin/pkg/admission/limitranger/admission.go PodMutateLimitFunc, plugin/pkg/admission/priority,
// pkg/registry/core/pod/strategy.go PrepareForCreate.
func (n Namespace) applyDefaults(spec *corev1.PodSpec, limitRanges []corev1.LimitRange) defaultedPod {
	p := defaultedPod{PodSpec: *spec, submitted: spec}
	p.InitContainers, p.Containers = slices.Clone(spec.InitContainers), slices.Clone(spec.Containers)
	p.Resources = spec.Resources.DeepCopy()
	if !n.versionAtLeast(sidecarsSince) {
		for i := range p.InitContainers {
			p.InitContainers[i].RestartPolicy = nil
		}
	}
	if !n.versionAtLeast(podLevelResourcesSince) {
		p.Resources = nil
	}
	p.eachContainer(func(c *corev1.Container) { setMissing(&c.Resources.Requests, c.Resources.Limits) })
	if !n.versionAtLeast(podLevelFixDefaultingSince) {
		p.defaultHugePageLimits()
		if p.Resources != nil && len(p.Resources.Limits) > 0 {
			p.defaultPodLevelRequests()
		}
	}
	for i := range limitRanges {
		limits, requests := limitRangeDefaults(&limitRanges[i])
		p.eachContainer(func(c *corev1.Container) {
			setMissing(&c.Resources.Limits, limits)
			setMissing(&c.Resources.Requests, requests)
		})
	}
	if n.versionAtLeast(podLevelFixDefaultingSince) {
		p.defaultHugePageLimits()
		p.defaultPodLevelRequests()
		p.defaultPodLevelLimits()
	}
	if !n.versionAtLeast(podLevelFixQOSClassSince) || p.hasPodLevelResources() {
		p.qosResources = p.Resources
	}
	if p.PriorityClassName == "" {
		p.PriorityClassName = n.DefaultPriorityClass
	}
	return p
}

// limitRangeDefaults returns the limits and requests that a LimitRange gives to containers that have none. The API server
// defaults an item when it stores it: default from max, then defaultRequest from default and min. Repeating that changes
// nothing in a stored object, and an object that was never stored needs it. If two items set a default, the later one wins.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1/defaults.go SetDefaults_LimitRangeItem,
// plugin/pkg/admission/limitranger/admission.go defaultContainerResourceRequirements.
func limitRangeDefaults(l *corev1.LimitRange) (limits, requests corev1.ResourceList) {
	for _, item := range slices.Backward(l.Spec.Limits) {
		if item.Type != corev1.LimitTypeContainer {
			continue // items of other types set no defaults
		}
		var itemLimits, itemRequests corev1.ResourceList
		setMissing(&itemLimits, item.Default)
		setMissing(&itemLimits, item.Max)
		setMissing(&itemRequests, item.DefaultRequest)
		setMissing(&itemRequests, itemLimits)
		setMissing(&itemRequests, item.Min)
		setMissing(&limits, itemLimits)
		setMissing(&requests, itemRequests)
	}
	return limits, requests
}

// eachContainer calls f for every container that may have resources, which excludes ephemeral ones.
func (p *defaultedPod) eachContainer(f func(*corev1.Container)) {
	for _, containers := range [][]corev1.Container{p.InitContainers, p.Containers} {
		for i := range containers {
			f(&containers[i])
		}
	}
}

// setMissing adds to list the entries of defaults whose names it does not have. It copies list before it changes it, so
// that the pod as submitted keeps its own.
func setMissing(list *corev1.ResourceList, defaults corev1.ResourceList) {
	copied := false
	for name, quantity := range defaults {
		if _, ok := (*list)[name]; ok {
			continue
		}
		if !copied {
			all := make(corev1.ResourceList, len(*list)+len(defaults))
			maps.Copy(all, *list)
			*list, copied = all, true
		}
		(*list)[name] = quantity
	}
}
