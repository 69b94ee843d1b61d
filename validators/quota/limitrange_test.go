package quota

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestLimitRangeAndValidation evaluates pods against LimitRanges and resource validation.
func TestLimitRangeAndValidation(t *testing.T) {
	main := func(resources string) string { return "{containers: [{name: main, resources: " + resources + "}]}" }
	for name, test := range map[string]struct {
		pod         string
		limitRanges string
		want        []string // the messages, with a + where the value comes from a LimitRange
	}{
		"within bounds": {
			pod:         main("{requests: {cpu: 1}, limits: {cpu: 2}}"),
			limitRanges: "[{type: Container, min: {cpu: 1}, max: {cpu: 2}, maxLimitRequestRatio: {cpu: 2}}]",
		},
		"a request below min": {
			pod:         main("{requests: {cpu: 1}}"),
			limitRanges: "[{type: Container, min: {cpu: 1001m}}]",
			want:        []string{"minimum cpu usage per Container is 1001m, but request is 1"},
		},
		"a limit below min of the pod": {
			pod:         "{resources: {requests: {cpu: 2}, limits: {cpu: 1}}, containers: [{name: main}]}",
			limitRanges: "[{type: Pod, min: {cpu: 2}}]",
			want: []string{
				"spec.resources.requests: must be less than or equal to cpu limit of 1",
				"minimum cpu usage per Pod is 2, but limit is 1",
			},
		},
		"no request at all": {
			pod:         main("{}"),
			limitRanges: "[{type: Pod, min: {cpu: 1}}]",
			want:        []string{"minimum cpu usage per Pod is 1.  No request is specified"},
		},
		"a limit above max": {
			pod:         main("{limits: {memory: 2Gi}}"),
			limitRanges: "[{type: Container, max: {memory: 1Gi}}]",
			want:        []string{"maximum memory usage per Container is 1Gi, but limit is 2Gi"},
		},
		"no limit at all": {
			pod:         main("{}"),
			limitRanges: "[{type: Pod, max: {cpu: 1}}]",
			want:        []string{"maximum cpu usage per Pod is 1.  No limit is specified"},
		},
		"a fractional ratio": {
			pod:         main("{requests: {cpu: 10}, limits: {cpu: 16}}"),
			limitRanges: "[{type: Container, maxLimitRequestRatio: {cpu: 1500m}}]",
			want:        []string{"cpu max limit to request ratio per Container is 1500m, but provided ratio is 1.600000"},
		},
		"a ratio with a request of zero": {
			pod:         main("{requests: {cpu: 0}, limits: {cpu: 1}}"),
			limitRanges: "[{type: Container, maxLimitRequestRatio: {cpu: 2}}]",
			want:        []string{"cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"},
		},
		"a ratio with a limit of zero": {
			pod:         main("{requests: {cpu: 1}, limits: {cpu: 0}}"),
			limitRanges: "[{type: Container, maxLimitRequestRatio: {cpu: 2}}]",
			want: []string{
				"spec.containers[0].resources.requests: must be less than or equal to cpu limit of 0",
				"cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
			},
		},
		"a ratio to a defaulted request": {
			pod:         main("{limits: {memory: 2Gi}}"),
			limitRanges: "[{type: Container, defaultRequest: {memory: 1Gi}, maxLimitRequestRatio: {memory: 1}}]",
		},
		"a ratio between the defaults": {
			pod:         main("{}"),
			limitRanges: "[{type: Container, default: {cpu: 2}, defaultRequest: {cpu: 1}, maxLimitRequestRatio: {cpu: 1}}]",
			want:        []string{"+cpu max limit to request ratio per Container is 1, but provided ratio is 2.000000"},
		},
		"a defaulted request, no limit": {
			pod:         main("{}"),
			limitRanges: "[{type: Container, defaultRequest: {cpu: 1}, maxLimitRequestRatio: {cpu: 2}}]",
			want:        []string{"+cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0"},
		},
		"amounts too large for milli-units": {
			pod:         main("{limits: {memory: 6Ei}}"),
			limitRanges: "[{type: Container, max: {memory: 4Ei}}]",
			want:        []string{"maximum memory usage per Container is 4Ei, but limit is 6Ei"},
		},
		"large amounts compared in units": {
			pod:         main("{requests: {memory: 10Pi}, limits: {memory: 20Pi}}"),
			limitRanges: "[{type: Container, min: {memory: 9Pi}}]",
		},
		"the later of two items sets the default": {
			pod:         main("{requests: {cpu: 2}}"),
			limitRanges: "[{type: Container, default: {cpu: 1}}, {type: Container, default: {cpu: 3}}]",
		},
		"a request above its limit": {
			pod:  main("{requests: {cpu: 2}, limits: {cpu: 1}}"),
			want: []string{"spec.containers[0].resources.requests: must be less than or equal to cpu limit of 1"},
		},
		"a request above the default limit": {
			pod:         main("{requests: {cpu: 2}}"),
			limitRanges: "[{type: Container, default: {cpu: 1}}]",
			want:        []string{"+spec.containers[0].resources.requests: must be less than or equal to cpu limit of 1"},
		},
		"a GPU without a limit": {
			pod:  main("{requests: {nvidia.com/gpu: 1}}"),
			want: []string{"spec.containers[0].resources.limits: Limit must be set for non overcommitable resources"},
		},
		"half a GPU": {
			pod: main("{limits: {nvidia.com/gpu: 500m}}"),
			want: []string{
				"spec.containers[0].resources.limits[nvidia.com/gpu]: must be an integer",
				"spec.containers[0].resources.requests[nvidia.com/gpu]: must be an integer",
			},
		},
		"huge pages beside memory": {pod: main("{limits: {hugepages-2Mi: 4Mi, memory: 1Gi}}")},
		"huge pages alone": {
			pod:  main("{limits: {hugepages-2Mi: 4Mi}}"),
			want: []string{"spec.containers[0].resources: HugePages require cpu or memory"},
		},
		"one and a half huge pages": {
			pod: main("{limits: {hugepages-2Mi: 3Mi, cpu: 1}}"),
			want: []string{
				"spec.containers[0].resources.limits[hugepages-2Mi]: 3Mi is not positive integer multiple of hugepages-2Mi",
				"spec.containers[0].resources.requests[hugepages-2Mi]: 3Mi is not positive integer multiple of hugepages-2Mi",
			},
		},
		"a negative amount": {
			pod:  main("{requests: {cpu: -1}}"),
			want: []string{"spec.containers[0].resources.requests[cpu]: must be greater than or equal to 0"},
		},
		"no containers": {pod: "{}", want: []string{"spec.containers: Required value"}},
	} {
		t.Run(name, func(t *testing.T) {
			var n Namespace
			if test.limitRanges != "" {
				n.LimitRanges = []corev1.LimitRange{limitRange(t, test.limitRanges)}
			}
			var got []string
			for _, v := range n.Evaluate(pod(t, test.pod)).Violations {
				mark := ""
				if v.Defaulted {
					mark = "+"
				}
				got = append(got, fmt.Sprint(mark, v.Message))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
