package quota

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestLimitRangeOrder evaluates pods whose limits come from several LimitRanges, which the API server may apply in any order.
func TestLimitRangeOrder(t *testing.T) {
	withDefaults := func(n int) (out []corev1.LimitRange) {
		for i := range n {
			out = append(out, limitRange(t, fmt.Sprintf("[{type: Container, default: {cpu: %d}}]", i+1)))
		}
		return out
	}
	withoutDefaults := limitRange(t, "[{type: Pod, max: {cpu: 100}}]")
	exceedsLimits := func(limits ...int) (out []string) {
		for _, l := range limits {
			out = append(out, fmt.Sprintf("spec.containers[0].resources.requests: must be less than or equal to cpu limit of %d", l))
		}
		return out
	}
	for name, test := range map[string]struct {
		request     string
		limitRanges []corev1.LimitRange
		want        []string
		certain     bool
	}{
		"none":                                  {request: "9"},
		"one":                                   {request: "9", limitRanges: withDefaults(1), want: exceedsLimits(1), certain: true},
		"above the default of every LimitRange": {request: "9", limitRanges: withDefaults(3), want: exceedsLimits(1, 2, 3), certain: true},
		"above the default of some LimitRanges": {request: "1500m", limitRanges: withDefaults(3), want: exceedsLimits(1)},
		"all orders of four":                    {request: "9", limitRanges: withDefaults(4), want: exceedsLimits(1, 2, 3, 4), certain: true},
		"each of five comes first once":         {request: "4500m", limitRanges: withDefaults(5), want: exceedsLimits(1, 2, 3, 4)},
		"five are never certain":                {request: "9", limitRanges: withDefaults(5), want: exceedsLimits(1, 2, 3, 4, 5)},
		"LimitRanges without defaults do not count": {
			request: "9", limitRanges: append(withDefaults(4), withoutDefaults), want: exceedsLimits(1, 2, 3, 4), certain: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := pod(t, "{containers: [{name: main, resources: {requests: {cpu: "+test.request+"}}}]}")
			verdict := Namespace{LimitRanges: test.limitRanges}.Evaluate(spec)
			var got []string
			for _, v := range verdict.Violations {
				got = append(got, v.Message)
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) || verdict.Certain != test.certain && len(test.want) > 0 {
				t.Errorf("%v %q, want %v %q", verdict.Certain, got, test.certain, test.want)
			}
			none := verdict.CertainFor(func(Violation) bool { return false })
			all := verdict.CertainFor(func(Violation) bool { return true })
			if none || all != verdict.Certain {
				t.Errorf("certain without any violation: %v, with all: %v", none, all)
			}
		})
	}
}

// ExampleVerdict_CertainFor ignores a quota that may not be enforced.
func ExampleVerdict_CertainFor() {
	spec := &corev1.PodSpec{Containers: []corev1.Container{{
		Name:      "main",
		Resources: corev1.ResourceRequirements{Requests: resourceList("memory")},
	}}}
	namespace := Namespace{Quotas: []Quota{{Name: "compute", Hard: resourceList("cpu")}}}
	verdict := namespace.Evaluate(spec)
	fmt.Println(verdict.Certain, verdict.CertainFor(func(v Violation) bool { return v.Object != "compute" }))
	// Output: true false
}
