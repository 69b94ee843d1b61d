package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// resourceViolations validates the resources of a pod and of its containers.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validateResourceRequirements,
// validatePodResources.
func (p *defaultedPod) resourceViolations() []Violation {
	var out []Violation
	if len(p.Containers) == 0 {
		out = append(out, Violation{Message: "spec.containers: Required value"})
	}
	p.eachContainerPair(func(c, submitted *corev1.Container, list string, i int) {
		for _, e := range validateRequirements(c.Resources, validateContainerResourceName) {
			_, submittedLimit := submitted.Resources.Limits[e.resource]
			out = append(out, Violation{
				Container: c.Name, Resource: e.resource, Defaulted: e.isMismatch && !submittedLimit,
				Message: fmt.Sprintf("spec.%s[%d].resources%s", list, i, e.message),
			})
		}
	})
	if p.Resources != nil {
		for _, e := range slices.Concat(validateRequirements(*p.Resources, validatePodResourceName), p.validateConsistency()) {
			out = append(out, Violation{Resource: e.resource, Message: "spec.resources" + e.message})
		}
	}
	return out
}

// eachContainerPair calls f for every container as defaulted and as submitted. list and i are its position in the pod's spec,
// such as initContainers and 0.
func (p *defaultedPod) eachContainerPair(f func(defaulted, submitted *corev1.Container, list string, i int)) {
	for i := range p.InitContainers {
		f(&p.InitContainers[i], &p.submitted.InitContainers[i], "initContainers", i)
	}
	for i := range p.Containers {
		f(&p.Containers[i], &p.submitted.Containers[i], "containers", i)
	}
}

// resourceError is an invalid resource of a container or of a pod.
type resourceError struct {
	resource corev1.ResourceName
	// message is the path of the field, relative to the field resources, and the API server's message.
	message string
	// isMismatch reports whether the request and the limit contradict each other.
	isMismatch bool
}

// validateRequirements validates limits and requests in the order of their names. validateName returns why a resource can't
// be set.
func validateRequirements(r corev1.ResourceRequirements, validateName func(corev1.ResourceName) []string) []resourceError {
	if len(r.Limits)+len(r.Requests) == 0 {
		return nil
	}
	var out []resourceError
	add := func(name corev1.ResourceName, isMismatch bool, format string, args ...any) {
		out = append(out, resourceError{resource: name, message: fmt.Sprintf(format, args...), isMismatch: isMismatch})
	}
	validateAmount := func(list string, name corev1.ResourceName, q resource.Quantity) {
		for _, message := range append(validateName(name), validateQuantity(name, q)...) {
			add(name, false, ".%s[%s]: %s", list, name, message)
		}
		if isHugePages(name) && !isMultipleOfPageSize(name, q) {
			add(name, false, ".%s[%s]: %s is not positive integer multiple of %s", list, name, &q, name)
		}
	}
	limits, requests := sortedNames(r.Limits), sortedNames(r.Requests)
	for _, name := range limits {
		validateAmount("limits", name, r.Limits[name])
	}
	for _, name := range requests {
		request := r.Requests[name]
		validateAmount("requests", name, request)
		limit, ok := r.Limits[name]
		switch {
		case !ok && !isOvercommitAllowed(name):
			add(name, false, ".limits: Limit must be set for non overcommitable resources")
		case ok && !isOvercommitAllowed(name) && request.Cmp(limit) != 0:
			add(name, true, ".requests: must be equal to %s limit of %s", name, &limit)
		case ok && request.Cmp(limit) > 0:
			add(name, true, ".requests: must be less than or equal to %s limit of %s", name, &limit)
		}
	}
	names := append(limits, requests...)
	hasCompute := slices.Contains(names, corev1.ResourceCPU) || slices.Contains(names, corev1.ResourceMemory)
	if i := slices.IndexFunc(names, isHugePages); i >= 0 && !hasCompute {
		add(names[i], false, ": HugePages require cpu or memory")
	}
	return out
}

func sortedNames(list corev1.ResourceList) []corev1.ResourceName {
	names := slices.AppendSeq(make([]corev1.ResourceName, 0, len(list)), maps.Keys(list))
	slices.Sort(names)
	return names
}

// validateQuantity returns what is wrong with an amount of a resource, in a container, a pod or a quota.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuantityValue.
func validateQuantity(name corev1.ResourceName, q resource.Quantity) []string {
	var messages []string
	if q.Sign() < 0 {
		messages = append(messages, "must be greater than or equal to 0")
	}
	if (integerResources[name] || isExtended(name)) && q.MilliValue()%1000 != 0 {
		messages = append(messages, "must be an integer")
	}
	return messages
}

// isMultipleOfPageSize reports whether an amount of huge pages is a multiple of the page size, which is part of the name.
func isMultipleOfPageSize(name corev1.ResourceName, q resource.Quantity) bool {
	page, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
	return err == nil && page.Sign() > 0 && q.Value()%page.Value() == 0
}

// validateConsistency returns where the resources of the containers exceed the pod-level resources.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validatePodResourceConsistency.
func (p *defaultedPod) validateConsistency() []resourceError {
	var out []resourceError
	add := func(name corev1.ResourceName, format string, args ...any) {
		out = append(out, resourceError{resource: name, message: fmt.Sprintf(format, args...)})
	}
	validateAggregate := func(aggregate, podLevel corev1.ResourceList, list string) {
		for _, name := range slices.Sorted(maps.Keys(aggregate)) {
			sum := aggregate[name]
			if podAmount, ok := podLevel[name]; ok && sum.Cmp(podAmount) > 0 {
				add(name, ".%[1]s[%[2]s]: must be greater than or equal to aggregate container %[1]s of %[3]s", list, name, &sum)
			}
		}
	}
	validateAggregate(p.containerRequests(), p.Resources.Requests, "requests")
	limits := p.containerLimits()
	maps.DeleteFunc(limits, func(name corev1.ResourceName, _ resource.Quantity) bool { return !isHugePages(name) })
	validateAggregate(limits, p.Resources.Limits, "limits")
	for i, c := range p.Containers {
		for _, name := range slices.Sorted(maps.Keys(c.Resources.Limits)) {
			limit := c.Resources.Limits[name]
			if podLimit, ok := p.Resources.Limits[name]; ok && limit.Cmp(podLimit) > 0 {
				add(name, ".containers[%d][%s].limits: must be less than or equal to pod limits of %s", i, name, &podLimit)
			}
		}
	}
	return out
}
