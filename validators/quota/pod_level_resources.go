package quota

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// hasResources reports whether the pod as a whole names a compute resource, which lifts a quota's demand on its containers.
func (p *defaultedPod) hasResources() bool {
	return resourcehelper.IsPodLevelResourcesSet(&corev1.Pod{Spec: p.PodSpec})
}

// containerRequests and containerLimits are what a pod's containers add up to: of init containers, which run one after the
// other, the largest counts.
func (p *defaultedPod) containerRequests() corev1.ResourceList {
	return resourcehelper.AggregateContainerRequests(&corev1.Pod{Spec: p.PodSpec}, resourcehelper.PodResourcesOptions{})
}

func (p *defaultedPod) containerLimits() corev1.ResourceList {
	return resourcehelper.AggregateContainerLimits(&corev1.Pod{Spec: p.PodSpec}, resourcehelper.PodResourcesOptions{})
}

// requests and limits are those of the pod as a whole, the containers' where it has none of its own.
func (p *defaultedPod) requests() corev1.ResourceList {
	return overridden(p.containerRequests(), p.Resources, func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests })
}

func (p *defaultedPod) limits() corev1.ResourceList {
	return overridden(p.containerLimits(), p.Resources, func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits })
}

func overridden(sum corev1.ResourceList, whole *corev1.ResourceRequirements, of func(*corev1.ResourceRequirements) corev1.ResourceList) corev1.ResourceList {
	if whole == nil {
		return sum
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if quantity, ok := of(whole)[name]; ok {
			sum[name] = quantity
		}
	}
	return sum
}

// completeHugePages fills in the limits of huge pages of the pod as a whole from what its containers add up to.
// Source: k8s.io/kubernetes v1.37.2 pkg/api/pod/util.go defaultHugePagePodLevelLimits.
func (p *defaultedPod) completeHugePages() {
	r := p.Resources
	if r == nil || len(r.Requests)+len(r.Limits) == 0 {
		return
	}
	sums := p.containerLimits()
	maps.DeleteFunc(sums, func(name corev1.ResourceName, _ resource.Quantity) bool {
		_, requested := r.Requests[name]
		return requested || !isHugePages(name)
	})
	fill(&r.Limits, sums)
}

// completeRequests fills in the requests of the pod as a whole: from what its containers add up to, or else from its
// limits.
// Source: k8s.io/kubernetes v1.37.2 pkg/api/pod/util.go defaultPodLevelRequests.
func (p *defaultedPod) completeRequests() {
	r := p.Resources
	if r == nil || len(r.Requests)+len(r.Limits) == 0 {
		return
	}
	sums := p.containerRequests()
	maps.DeleteFunc(sums, func(name corev1.ResourceName, _ resource.Quantity) bool {
		return isHugePages(name) || !resourcehelper.IsSupportedPodLevelResource(name)
	})
	fill(&r.Requests, sums)
	own := r.Limits.DeepCopy()
	maps.DeleteFunc(own, func(name corev1.ResourceName, _ resource.Quantity) bool {
		return !resourcehelper.IsSupportedPodLevelResource(name)
	})
	fill(&r.Requests, own)
}

// completeLimits fills in the limits of the pod as a whole where all containers have one.
// Source: k8s.io/kubernetes v1.37.2 pkg/api/pod/util.go defaultPodLevelLimits.
func (p *defaultedPod) completeLimits() {
	r := p.Resources
	if r == nil || len(r.Requests) == 0 {
		return
	}
	sums := p.containerLimits()
	maps.DeleteFunc(sums, func(name corev1.ResourceName, _ resource.Quantity) bool {
		_, requested := r.Requests[name]
		return !requested || !resourcehelper.IsSupportedPodLevelResource(name)
	})
	p.each(func(c *corev1.Container) {
		for name := range sums {
			if _, ok := c.Resources.Limits[name]; !ok {
				delete(sums, name)
			}
		}
	})
	for name, sum := range sums {
		if request := r.Requests[name]; request.Cmp(sum) > 0 {
			sums[name] = request
		}
	}
	fill(&r.Limits, sums)
}
