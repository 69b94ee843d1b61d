package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	resourcehelper "k8s.io/component-helpers/resource"
)

// resourceViolations lists what makes the resources of a pod invalid.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validateResourceRequirements,
// validatePodResources.
func (p *defaultedPod) resourceViolations() []Violation {
	var out []Violation
	if len(p.Containers) == 0 {
		out = append(out, Violation{Message: "spec.containers: Required value"})
	}
	p.eachWritten(func(c, written *corev1.Container, list string, i int) {
		for _, problem := range invalidRequirements(c.Resources, invalidForContainer) {
			_, wroteLimit := written.Resources.Limits[problem.name]
			out = append(out, Violation{
				Container: c.Name, Resource: problem.name, Defaulted: problem.ofBoth && !wroteLimit,
				Message: fmt.Sprintf("spec.%s[%d].resources%s", list, i, problem.message),
			})
		}
	})
	if p.Resources != nil {
		for _, problem := range slices.Concat(invalidRequirements(*p.Resources, invalidForPod), p.inconsistent()) {
			out = append(out, Violation{Resource: problem.name, Message: "spec.resources" + problem.message})
		}
	}
	return out
}

// eachWritten calls do for every container, as it is and as it was written, and says in which list of the pod's spec it is, and where.
func (p *defaultedPod) eachWritten(do func(c, written *corev1.Container, list string, i int)) {
	for i := range p.InitContainers {
		do(&p.InitContainers[i], &p.written.InitContainers[i], "initContainers", i)
	}
	for i := range p.Containers {
		do(&p.Containers[i], &p.written.Containers[i], "containers", i)
	}
}

// problem is what is wrong with a resource: where below the resources, and in which words.
type problem struct {
	name corev1.ResourceName
	message string
	// ofBoth says that the request and the limit contradict each other.
	ofBoth bool
}

// invalidRequirements lists what is wrong with requests and limits, in the order of their names.
func invalidRequirements(r corev1.ResourceRequirements, invalidName func(corev1.ResourceName) []string) []problem {
	if len(r.Limits)+len(r.Requests) == 0 {
		return nil
	}
	var out []problem
	say := func(name corev1.ResourceName, format string, args ...any) {
		out = append(out, problem{name: name, message: fmt.Sprintf(format, args...)})
	}
	amount := func(list string, name corev1.ResourceName, q resource.Quantity) {
		for _, why := range append(invalidName(name), invalidAmount(name, q)...) {
			say(name, ".%s[%s]: %s", list, name, why)
		}
		if isHugePages(name) && !divisible(name, q) {
			say(name, ".%s[%s]: %s is not positive integer multiple of %s", list, name, &q, name)
		}
	}
	limits, requests := sorted(r.Limits), sorted(r.Requests)
	for _, name := range limits {
		amount("limits", name, r.Limits[name])
	}
	for _, name := range requests {
		request := r.Requests[name]
		amount("requests", name, request)
		limit, ok := r.Limits[name]
		switch {
		case !ok && !mayOvercommit(name):
			say(name, ".limits: Limit must be set for non overcommitable resources")
		case ok && !mayOvercommit(name) && request.Cmp(limit) != 0:
			out = append(out, problem{name, fmt.Sprintf(".requests: must be equal to %s limit of %s", name, &limit), true})
		case ok && request.Cmp(limit) > 0:
			out = append(out, problem{name, fmt.Sprintf(".requests: must be less than or equal to %s limit of %s", name, &limit), true})
		}
	}
	names := append(limits, requests...)
	if i := slices.IndexFunc(names, isHugePages); i >= 0 && !slices.Contains(names, corev1.ResourceCPU) && !slices.Contains(names, corev1.ResourceMemory) {
		say(names[i], ": HugePages require cpu or memory")
	}
	return out
}

// sorted are the names in a list, in order.
func sorted(list corev1.ResourceList) []corev1.ResourceName {
	names := slices.AppendSeq(make([]corev1.ResourceName, 0, len(list)), maps.Keys(list))
	slices.Sort(names)
	return names
}

// inconsistent lists where the containers of a pod have more than the pod as a whole.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validatePodResourceConsistency.
func (p *defaultedPod) inconsistent() []problem {
	var out []problem
	exceeds := func(sums, whole corev1.ResourceList, list string) {
		for _, name := range slices.Sorted(maps.Keys(sums)) {
			sum := sums[name]
			if own, ok := whole[name]; ok && sum.Cmp(own) > 0 {
				out = append(out, problem{name: name, message: fmt.Sprintf(".%[1]s[%[2]s]: must be greater than or equal to aggregate container %[1]s of %[3]s", list, name, &sum)})
			}
		}
	}
	exceeds(p.containerRequests(), p.Resources.Requests, "requests")
	limits := p.containerLimits()
	maps.DeleteFunc(limits, func(name corev1.ResourceName, _ resource.Quantity) bool { return !isHugePages(name) })
	exceeds(limits, p.Resources.Limits, "limits")
	for i, c := range p.Containers {
		for _, name := range slices.Sorted(maps.Keys(c.Resources.Limits)) {
			limit := c.Resources.Limits[name]
			if own, ok := p.Resources.Limits[name]; ok && limit.Cmp(own) > 0 {
				out = append(out, problem{name: name, message: fmt.Sprintf(".containers[%d][%s].limits: must be less than or equal to pod limits of %s", i, name, &own)})
			}
		}
	}
	return out
}

// invalidName lists why nothing can have a resource. Names without a slash are Kubernetes' own.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validateResourceName.
func invalidName(name corev1.ResourceName) []string {
	why := validation.IsQualifiedName(string(name))
	if len(why) == 0 && !strings.Contains(string(name), "/") && !isStandard(name) && name != corev1.ResourceStorage {
		return []string{"must be a standard resource type or fully qualified"}
	}
	return why
}

// invalidForContainer lists why a container can't have a resource.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateContainerResourceName.
func invalidForContainer(name corev1.ResourceName) []string {
	if name == corev1.ResourceCPU || name == corev1.ResourceMemory {
		return nil // as nearly always
	}
	why := invalidName(name)
	switch {
	case !strings.Contains(string(name), "/"):
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage && !isHugePages(name) {
			why = append(why, "must be a standard resource for containers")
		}
	case !isNative(name) && !isExtended(name):
		why = append(why, "doesn't follow extended resource name standard")
	}
	return why
}

// invalidForPod lists why a pod as a whole can't have a resource.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validatePodResourceName.
func invalidForPod(name corev1.ResourceName) []string {
	why := invalidName(name)
	if len(why) == 0 && !resourcehelper.IsSupportedPodLevelResource(name) {
		return []string{`supported values: "cpu", "hugepages-", "memory"`}
	}
	return why
}

// invalidAmount says what is wrong with an amount of a resource, of a container or of a quota.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuantityValue.
func invalidAmount(name corev1.ResourceName, q resource.Quantity) []string {
	var out []string
	if q.Sign() < 0 {
		out = append(out, "must be greater than or equal to 0")
	}
	if (counted[name] || isExtended(name)) && q.MilliValue()%1000 != 0 {
		out = append(out, "must be an integer")
	}
	return out
}

// isNative reports whether a resource is Kubernetes' own.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go IsNativeResource.
func isNative(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// isExtended reports whether a resource is one that nodes are given, such as nvidia.com/gpu.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go IsExtendedResourceName.
func isExtended(name corev1.ResourceName) bool {
	return !isNative(name) && !strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// mayOvercommit reports whether the request of a resource may be less than its limit.
func mayOvercommit(name corev1.ResourceName) bool { return isNative(name) && !isHugePages(name) }

// divisible reports whether an amount of huge pages is made of whole pages.
func divisible(name corev1.ResourceName, q resource.Quantity) bool {
	page, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
	return err == nil && page.Sign() > 0 && q.Value()%page.Value() == 0
}
