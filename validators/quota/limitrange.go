package quota

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// limitRangeViolations lists what a LimitRange holds against a pod.
// Source: k8s.io/kubernetes v1.37.2 plugin/pkg/admission/limitranger/admission.go PodValidateLimitFunc.
func (p *defaultedPod) limitRangeViolations(l *corev1.LimitRange) []Violation {
	var out []Violation
	hold := func(item *corev1.LimitRangeItem, container string, written corev1.ResourceRequirements, requests, limits corev1.ResourceList) {
		check := func(bounds corev1.ResourceList, by func(amounts) string) {
			for _, name := range slices.Sorted(maps.Keys(bounds)) {
				a := amounts{kind: item.Type, name: name, bound: bounds[name]}
				a.request, a.requested = requests[name]
				a.limit, a.limited = limits[name]
				if says := by(a); says != "" {
					_, wroteRequest := written.Requests[name]
					_, wroteLimit := written.Limits[name]
					out = append(out, Violation{
						Gate: LimitRanger, Object: l.Name, Container: container, Resource: name, Message: says,
						Defaulted: container != "" && (a.requested && !wroteRequest && !wroteLimit || a.limited && !wroteLimit),
					})
				}
			}
		}
		check(item.Min, belowMin)
		check(item.Max, aboveMax)
		check(item.MaxLimitRequestRatio, aboveRatio)
	}
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		switch item.Type {
		case corev1.LimitTypeContainer:
			p.eachWritten(func(c, written *corev1.Container, _ string, _ int) {
				hold(item, c.Name, written.Resources, c.Resources.Requests, c.Resources.Limits)
			})
		case corev1.LimitTypePod:
			hold(item, "", corev1.ResourceRequirements{}, p.requests(), p.limits())
		}
	}
	return out
}

// amounts are what a container, or a pod, has of a resource, and the bound that it is held to.
type amounts struct {
	kind               corev1.LimitType
	name               corev1.ResourceName
	bound              resource.Quantity
	request, limit     resource.Quantity
	requested, limited bool
}

func belowMin(a amounts) string {
	minimum := fmt.Sprintf("minimum %s usage per %s is %s", a.name, a.kind, &a.bound)
	switch {
	case !a.requested:
		return minimum + ".  No request is specified"
	case a.compare(a.request, a.bound) < 0:
		return fmt.Sprintf("%s, but request is %s", minimum, &a.request)
	case a.limited && a.compare(a.limit, a.bound) < 0:
		return fmt.Sprintf("%s, but limit is %s", minimum, &a.limit)
	}
	return ""
}

func aboveMax(a amounts) string {
	maximum := fmt.Sprintf("maximum %s usage per %s is %s", a.name, a.kind, &a.bound)
	switch {
	case !a.limited:
		return maximum + ".  No limit is specified"
	case a.compare(a.limit, a.bound) > 0:
		return fmt.Sprintf("%s, but limit is %s", maximum, &a.limit)
	case a.requested && a.compare(a.request, a.bound) > 0:
		return fmt.Sprintf("%s, but request is %s", maximum, &a.request)
	}
	return ""
}

func aboveRatio(a amounts) string {
	ratio := fmt.Sprintf("%s max limit to request ratio per %s is %s", a.name, a.kind, &a.bound)
	request, limit := a.value(a.request), a.value(a.limit)
	switch {
	case !a.requested || request == 0:
		return ratio + ", but no request is specified or request is 0"
	case !a.limited || limit == 0:
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

func (a amounts) compare(x, y resource.Quantity) int64 { return a.value(x) - a.value(y) }

// value is a quantity in thousandths, if all three are small enough for that.
func (a amounts) value(q resource.Quantity) int64 {
	for _, each := range []resource.Quantity{a.request, a.limit, a.bound} {
		if each.Value() > resource.MaxMilliValue {
			return q.Value()
		}
	}
	return q.MilliValue()
}
