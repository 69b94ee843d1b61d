package quota

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestOrders gives pods their limits from several LimitRanges, of which the API server may take any first.
func TestOrders(t *testing.T) {
	giving := func(n int) (out []corev1.LimitRange) {
		for i := range n {
			out = append(out, limitRange(t, fmt.Sprintf("[{type: Container, default: {cpu: %d}}]", i+1)))
		}
		return out
	}
	checking := limitRange(t, "[{type: Pod, max: {cpu: 100}}]")
	above := func(limits ...int) (out []string) {
		for _, l := range limits {
			out = append(out, fmt.Sprintf("spec.containers[0].resources.requests: must be less than or equal to cpu limit of %d", l))
		}
		return out
	}
	for name, test := range map[string]struct {
		request     string
		limitRanges []corev1.LimitRange
		want        []string
		sure        bool
	}{
		"none":                                   {request: "9"},
		"one":                                    {request: "9", limitRanges: giving(1), want: above(1), sure: true},
		"above what any gives":                   {request: "9", limitRanges: giving(3), want: above(1, 2, 3), sure: true},
		"above what some give":                   {request: "1500m", limitRanges: giving(3), want: above(1)},
		"all orders of four":                     {request: "9", limitRanges: giving(4), want: above(1, 2, 3, 4), sure: true},
		"of five each comes first, but not more": {request: "4500m", limitRanges: giving(5), want: above(1, 2, 3, 4)},
		"five are never sure":                    {request: "9", limitRanges: giving(5), want: above(1, 2, 3, 4, 5)},
		"those that only check have no order":    {request: "9", limitRanges: append(giving(4), checking), want: above(1, 2, 3, 4), sure: true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := pod(t, "{containers: [{name: main, resources: {requests: {cpu: "+test.request+"}}}]}")
			verdict := Namespace{LimitRanges: test.limitRanges}.Decide(spec)
			var got []string
			for _, r := range verdict.Violations {
				got = append(got, r.Message)
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) || verdict.Certain != test.sure && len(test.want) > 0 {
				t.Errorf("%v %q, want %v %q", verdict.Certain, got, test.sure, test.want)
			}
			none := verdict.CertainFor(func(Violation) bool { return false })
			all := verdict.CertainFor(func(Violation) bool { return true })
			if none || all != verdict.Certain {
				t.Errorf("sure for nothing: %v, for all: %v", none, all)
			}
		})
	}
}

// ExampleVerdict_CertainFor leaves out a quota that may not be in force.
func ExampleVerdict_CertainFor() {
	spec := &corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{Requests: list("memory")}}}}
	namespace := Namespace{Quotas: []Quota{{Name: "compute", Hard: list("cpu")}}}
	verdict := namespace.Decide(spec)
	fmt.Println(verdict.Certain, verdict.CertainFor(func(r Violation) bool { return r.Object != "compute" }))
	// Output: true false
}
