package quota

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// maxPermutedLimitRanges is the largest number of LimitRanges for which every order is evaluated.
const maxPermutedLimitRanges = 4

// limitRangeOrders returns the orders in which the API server may apply LimitRanges. complete reports whether the result
// holds every order. LimitRanges that set no defaults make no difference to the result and keep their place.
func limitRangeOrders(limitRanges []corev1.LimitRange) (orders [][]corev1.LimitRange, complete bool) {
	if len(limitRanges) < 2 {
		return [][]corev1.LimitRange{limitRanges}, true
	}
	var defaulting, others []corev1.LimitRange
	for _, l := range limitRanges {
		if slices.ContainsFunc(l.Spec.Limits, func(i corev1.LimitRangeItem) bool { return i.Type == corev1.LimitTypeContainer }) {
			defaulting = append(defaulting, l)
		} else {
			others = append(others, l)
		}
	}
	if len(defaulting) > maxPermutedLimitRanges {
		for i := range defaulting { // at least, each of them comes first once
			orders = append(orders, slices.Concat(defaulting[i:], defaulting[:i], others))
		}
		return orders, false
	}
	for _, order := range permutations(defaulting) {
		orders = append(orders, append(order, others...))
	}
	return orders, true
}

func permutations(list []corev1.LimitRange) [][]corev1.LimitRange {
	if len(list) < 2 {
		return [][]corev1.LimitRange{list}
	}
	var out [][]corev1.LimitRange
	for i := range list {
		rest := slices.Concat(list[:i], list[i+1:])
		for _, p := range permutations(rest) {
			out = append(out, append([]corev1.LimitRange{list[i]}, p...))
		}
	}
	return out
}
