package quota

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// hasPodLevelResources reports whether spec.resources sets a compute resource. A quota then requires nothing of the containers.
func (p *defaultedPod) hasPodLevelResources() bool {
	return resourcehelper.IsPodLevelResourcesSet(&corev1.Pod{Spec: p.PodSpec})
}

// containerRequests aggregates the requests of the containers. Init containers run one after the other, so only the largest
// of them counts.
func (p *defaultedPod) containerRequests() corev1.ResourceList {
	return resourcehelper.AggregateContainerRequests(&corev1.Pod{Spec: p.PodSpec}, resourcehelper.PodResourcesOptions{})
}

// containerLimits aggregates the limits of the containers in the same way.
func (p *defaultedPod) containerLimits() corev1.ResourceList {
	return resourcehelper.AggregateContainerLimits(&corev1.Pod{Spec: p.PodSpec}, resourcehelper.PodResourcesOptions{})
}

// podRequests returns the requests of the pod: its pod-level requests for cpu and memory where set, otherwise the
// aggregate of its containers.
func (p *defaultedPod) podRequests() corev1.ResourceList {
	if p.Resources == nil {
		return p.containerRequests()
	}
	return overrideComputeResources(p.containerRequests(), p.Resources.Requests)
}

// podLimits returns the limits of the pod in the same way.
func (p *defaultedPod) podLimits() corev1.ResourceList {
	if p.Resources == nil {
		return p.containerLimits()
	}
	return overrideComputeResources(p.containerLimits(), p.Resources.Limits)
}

func overrideComputeResources(aggregate, podLevel corev1.ResourceList) corev1.ResourceList {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if quantity, ok := podLevel[name]; ok {
			aggregate[name] = quantity
		}
	}
	return aggregate
}

// defaultHugePageLimits sets missing pod-level limits of huge pages to the aggregate of the containers.
// Source: k8s.io/kubernetes v1.37.2 pkg/api/pod/util.go defaultHugePagePodLevelLimits.
func (p *defaultedPod) defaultHugePageLimits() {
	r := p.Resources
	if r == nil || len(r.Requests)+len(r.Limits) == 0 {
		return
	}
	aggregate := p.containerLimits()
	maps.DeleteFunc(aggregate, func(name corev1.ResourceName, _ resource.Quantity) bool {
		_, hasRequest := r.Requests[name]
		return hasRequest || !isHugePages(name)
	})
	setMissing(&r.Limits, aggregate)
}

// defaultPodLevelRequests sets missing pod-level requests to the aggregate of the containers, or else to the pod-level
// limits.
// Source: k8s.io/kubernetes v1.37.2 pkg/api/pod/util.go defaultPodLevelRequests.
func (p *defaultedPod) defaultPodLevelRequests() {
	r := p.Resources
	if r == nil || len(r.Requests)+len(r.Limits) == 0 {
		return
	}
	aggregate := p.containerRequests()
	maps.DeleteFunc(aggregate, func(name corev1.ResourceName, _ resource.Quantity) bool {
		return isHugePages(name) || !resourcehelper.IsSupportedPodLevelResource(name)
	})
	setMissing(&r.Requests, aggregate)
	podLevelLimits := r.Limits.DeepCopy()
	maps.DeleteFunc(podLevelLimits, func(name corev1.ResourceName, _ resource.Quantity) bool {
		return !resourcehelper.IsSupportedPodLevelResource(name)
	})
	setMissing(&r.Requests, podLevelLimits)
}

// defaultPodLevelLimits sets missing pod-level limits of resources for which every container has a limit.
// Source: k8s.io/kubernetes v1.37.2 pkg/api/pod/util.go defaultPodLevelLimits.
func (p *defaultedPod) defaultPodLevelLimits() {
	r := p.Resources
	if r == nil || len(r.Requests) == 0 {
		return
	}
	aggregate := p.containerLimits()
	maps.DeleteFunc(aggregate, func(name corev1.ResourceName, _ resource.Quantity) bool {
		_, hasRequest := r.Requests[name]
		return !hasRequest || !resourcehelper.IsSupportedPodLevelResource(name)
	})
	p.eachContainer(func(c *corev1.Container) {
		for name := range aggregate {
			if _, ok := c.Resources.Limits[name]; !ok {
				delete(aggregate, name)
			}
		}
	})
	for name, limit := range aggregate {
		if request := r.Requests[name]; request.Cmp(limit) > 0 {
			aggregate[name] = request
		}
	}
	setMissing(&r.Limits, aggregate)
}
