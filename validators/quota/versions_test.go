package quota

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestVersions evaluates pods that versions of Kubernetes treat differently.
func TestVersions(t *testing.T) {
	const (
		mustSpecify = "failed quota: q: must specify cpu for: main"
		podLevel    = "{resources: {limits: {memory: 1Gi}}, containers: [{name: main}]}"
		sidecar     = "{initContainers: [{name: proxy, restartPolicy: Always, resources: {requests: {cpu: 1}}}], " +
			"containers: [{name: main, resources: {requests: {cpu: 1}}}]}"
	)
	for name, test := range map[string]struct {
		pod         string
		limitRanges string
		want        map[int][]string // by minor version; 0 is unknown
	}{
		"from 1.34 on, pod-level resources free the containers from setting any": {pod: podLevel, want: map[int][]string{
			28: {mustSpecify}, 33: {mustSpecify}, 34: nil, 36: nil, 37: nil, 0: nil,
		}},
		"from 1.34 on, pod-level resources must cover those of the containers": {
			pod: `{resources: {requests: {cpu: 1}}, containers: [{name: main, resources: {requests: {cpu: 2}}}]}`,
			want: map[int][]string{
				28: nil, 33: nil,
				34: {"spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"},
				37: {"spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"},
				0:  {"spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"},
			},
		},
		"from 1.29 on, a sidecar runs beside the other containers": {
			pod:         sidecar,
			limitRanges: "[{type: Pod, min: {cpu: 1500m}}]",
			want: map[int][]string{
				28: {"minimum cpu usage per Pod is 1500m, but request is 1"}, 29: nil, 33: nil, 34: nil, 37: nil, 0: nil,
			},
		},
		"up to 1.36, pod-level requests default to pod-level limits before a LimitRange sets those of containers": {
			pod:         "{resources: {limits: {cpu: 2}}, containers: [{name: main}]}",
			limitRanges: "[{type: Container, defaultRequest: {cpu: 500m}}, {type: Pod, min: {cpu: 1}}]",
			want: map[int][]string{
				33: {"minimum cpu usage per Pod is 1, but request is 500m"}, // pod-level resources are ignored
				34: nil, 36: nil, 37: {"minimum cpu usage per Pod is 1, but request is 500m"},
			},
		},
		"up to 1.36, pod-level requests get no defaults without pod-level limits": {
			pod:         "{resources: {requests: {memory: 1Gi}}, containers: [{name: a, resources: {requests: {cpu: 1}}}, {name: b}]}",
			limitRanges: "[{type: Container, defaultRequest: {cpu: 500m}}]",
			want:        map[int][]string{34: nil, 36: nil, 37: nil},
		},
		"up to 1.36, a pod with pod-level requests only gets no pod-level defaults": {
			pod: "{resources: {requests: {memory: 1Gi}}, " +
				"containers: [{name: main, resources: {requests: {cpu: 1}, limits: {cpu: 1, memory: 512Mi}}}]}",
			limitRanges: "[{type: Pod, max: {memory: 768Mi}}]",
			want: map[int][]string{
				33: nil,
				36: {"maximum memory usage per Pod is 768Mi, but request is 1Gi"},
				37: {"maximum memory usage per Pod is 768Mi, but limit is 1Gi"},
			},
		},
	} {
		for minor, want := range test.want {
			t.Run(name, func(t *testing.T) {
				n := Namespace{Quotas: []Quota{{Name: "q", Hard: resourceList(corev1.ResourceCPU)}}, Minor: minor}
				if test.limitRanges != "" {
					n.LimitRanges = []corev1.LimitRange{limitRange(t, test.limitRanges)}
				}
				var got []string
				for _, v := range n.Evaluate(pod(t, test.pod)).Violations {
					got = append(got, v.Message)
				}
				if !slices.Equal(got, want) {
					t.Errorf("1.%d says %q, want %q", minor, got, want)
				}
			})
		}
	}
}

// TestVersionsOfBestEffort evaluates pods that versions of Kubernetes disagree on being BestEffort. Each namespace has the
// quota compute, which limits the memory of pods that are not BestEffort, and a LimitRange that sets a default request of cpu.
func TestVersionsOfBestEffort(t *testing.T) {
	namespace := Namespace{
		Quotas: []Quota{{
			Name:   "compute",
			Hard:   resourceList("memory"),
			Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotBestEffort},
		}},
		LimitRanges: []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
			{Type: corev1.LimitTypeContainer, DefaultRequest: resourceList("cpu")},
		}}}},
	}
	const (
		mustSpecify = "failed quota: compute: must specify memory for: a"
		exceeds     = "spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"
	)
	for name, test := range map[string]struct {
		pod  string
		want map[int]string // by minor version
	}{
		"pod-level memory": {
			pod:  "{resources: {requests: {memory: 1Gi}}, containers: [{name: a}]}",
			want: map[int]string{28: mustSpecify, 33: mustSpecify, 34: "", 36: "", 37: "", 0: ""},
		},
		"empty pod-level resources": {
			pod:  "{resources: {}, containers: [{name: a}]}",
			want: map[int]string{28: mustSpecify, 33: mustSpecify, 34: "", 36: "", 37: mustSpecify, 0: mustSpecify},
		},
		"huge pages cause pod-level requests to be set before the LimitRange applies": {
			pod: "{resources: {requests: {memory: 1Gi}}, " +
				"containers: [{name: a, resources: {limits: {hugepages-2Mi: 2Mi, memory: 1Gi}, requests: {cpu: 1}}}, {name: b}]}",
			want: map[int]string{34: exceeds, 36: exceeds, 37: "", 0: ""},
		},
	} {
		for minor, want := range test.want {
			t.Run(fmt.Sprintf("%s, 1.%d", name, minor), func(t *testing.T) {
				namespace.Minor = minor
				var got []string
				for _, v := range namespace.Evaluate(pod(t, test.pod)).Violations {
					got = append(got, v.Message)
				}
				if strings.Join(got, " | ") != want {
					t.Errorf("refused with %q, want %q", got, want)
				}
			})
		}
	}
}

// TestVolumeAttributesClassScope validates the scope VolumeAttributesClass, which not all versions support.
func TestVolumeAttributesClassScope(t *testing.T) {
	spec := &corev1.ResourceQuotaSpec{
		Hard:   resourceList("requests.storage"),
		Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeVolumeAttributesClass},
	}
	for minor, want := range map[int]int{28: 1, 32: 1, 33: 0, 37: 0, 0: 0} {
		specErrors := ValidateSpec(spec, field.NewPath("spec"), minor)
		if len(specErrors) != want || want > 0 && slices.Contains(specErrors[0].Supported, string(spec.Scopes[0])) {
			t.Errorf("1.%d: %v, want %d errors", minor, specErrors, want)
		}
	}
}
