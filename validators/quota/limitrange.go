package quota

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// limitRangeViolations returns the bounds of a LimitRange that a pod violates.
// Source: k8s.io/kubernetes v1.37.2 plugin/pkg/admission/limitranger/admission.go PodValidateLimitFunc.
func (p *defaultedPod) limitRangeViolations(l *corev1.LimitRange) []Violation {
	var out []Violation
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		switch item.Type {
		case corev1.LimitTypeContainer:
			p.eachContainerPair(func(c, submitted *corev1.Container, _ string, _ int) {
				for _, v := range itemViolations(item, c.Resources.Requests, c.Resources.Limits) {
					v.Object, v.Container = l.Name, c.Name
					v.Defaulted = isDefaulted(v.Resource, c.Resources, submitted.Resources)
					out = append(out, v)
				}
			})
		case corev1.LimitTypePod:
			for _, v := range itemViolations(item, p.podRequests(), p.podLimits()) {
				v.Object = l.Name
				out = append(out, v)
			}
		}
	}
	return out
}

// itemViolations checks requests and limits against every bound of a LimitRange item.
func itemViolations(item *corev1.LimitRangeItem, requests, limits corev1.ResourceList) []Violation {
	var out []Violation
	check := func(bounds corev1.ResourceList, checkBound func(boundedAmount) string) {
		for _, name := range slices.Sorted(maps.Keys(bounds)) {
			a := boundedAmount{limitType: item.Type, name: name, bound: bounds[name]}
			a.request, a.hasRequest = requests[name]
			a.limit, a.hasLimit = limits[name]
			if message := checkBound(a); message != "" {
				out = append(out, Violation{Stage: LimitRanger, Resource: name, Message: message})
			}
		}
	}
	check(item.Min, checkMin)
	check(item.Max, checkMax)
	check(item.MaxLimitRequestRatio, checkRatio)
	return out
}

// isDefaulted reports whether a request or a limit of a container was set by a default rather than by its author. A request
// that follows from the author's limit counts as the author's.
func isDefaulted(name corev1.ResourceName, defaulted, submitted corev1.ResourceRequirements) bool {
	_, hasRequest := defaulted.Requests[name]
	_, hasLimit := defaulted.Limits[name]
	_, submittedRequest := submitted.Requests[name]
	_, submittedLimit := submitted.Limits[name]
	return hasRequest && !submittedRequest && !submittedLimit || hasLimit && !submittedLimit
}

// boundedAmount is the request and the limit of a container or a pod for one resource, with the bound that they must meet.
type boundedAmount struct {
	limitType            corev1.LimitType
	name                 corev1.ResourceName
	bound                resource.Quantity
	request, limit       resource.Quantity
	hasRequest, hasLimit bool
}

// checkMin returns the API server's message if the request or the limit is below the bound, otherwise "".
func checkMin(a boundedAmount) string {
	minimum := fmt.Sprintf("minimum %s usage per %s is %s", a.name, a.limitType, &a.bound)
	switch {
	case !a.hasRequest:
		return minimum + ".  No request is specified"
	case a.compare(a.request, a.bound) < 0:
		return fmt.Sprintf("%s, but request is %s", minimum, &a.request)
	case a.hasLimit && a.compare(a.limit, a.bound) < 0:
		return fmt.Sprintf("%s, but limit is %s", minimum, &a.limit)
	}
	return ""
}

// checkMax returns the API server's message if the request or the limit is above the bound, otherwise "".
func checkMax(a boundedAmount) string {
	maximum := fmt.Sprintf("maximum %s usage per %s is %s", a.name, a.limitType, &a.bound)
	switch {
	case !a.hasLimit:
		return maximum + ".  No limit is specified"
	case a.compare(a.limit, a.bound) > 0:
		return fmt.Sprintf("%s, but limit is %s", maximum, &a.limit)
	case a.hasRequest && a.compare(a.request, a.bound) > 0:
		return fmt.Sprintf("%s, but request is %s", maximum, &a.request)
	}
	return ""
}

// checkRatio returns the API server's message if the ratio of limit to request is above the bound, otherwise "".
func checkRatio(a boundedAmount) string {
	ratio := fmt.Sprintf("%s max limit to request ratio per %s is %s", a.name, a.limitType, &a.bound)
	request, limit := a.value(a.request), a.value(a.limit)
	switch {
	case !a.hasRequest || request == 0:
		return ratio + ", but no request is specified or request is 0"
	case !a.hasLimit || limit == 0:
		return ratio + ", but no limit is specified or limit is 0"
	}
	got, allowed := float64(limit)/float64(request), float64(a.bound.Value())
	exact := got
	if a.bound.Value() <= resource.MaxMilliValue {
		exact, allowed = got*1000, float64(a.bound.MilliValue())
	}
	if exact > allowed {
		return fmt.Sprintf("%s, but provided ratio is %f", ratio, got)
	}
	return ""
}

// compare returns a negative number if x < y, zero if they are equal and a positive number if x > y.
func (a boundedAmount) compare(x, y resource.Quantity) int64 { return a.value(x) - a.value(y) }

// value returns q in thousandths if request, limit and bound are all small enough for that, otherwise in units.
func (a boundedAmount) value(q resource.Quantity) int64 {
	for _, each := range []resource.Quantity{a.request, a.limit, a.bound} {
		if each.Value() > resource.MaxMilliValue {
			return q.Value()
		}
	}
	return q.MilliValue()
}
