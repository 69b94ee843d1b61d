package quota

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestVersions asks about pods of which not all versions of Kubernetes make the same.
func TestVersions(t *testing.T) {
	const (
		specifies = "failed quota: q: must specify cpu for: main"
		whole     = "{resources: {limits: {memory: 1Gi}}, containers: [{name: main}]}"
		sidecar   = "{initContainers: [{name: proxy, restartPolicy: Always, resources: {requests: {cpu: 1}}}], containers: [{name: main, resources: {requests: {cpu: 1}}}]}"
	)
	for name, test := range map[string]struct {
		pod         string
		limitRanges string
		want        map[int][]string // by minor version; 0 is not known
	}{
		"resources of the pod lift the demand from 1.34 on": {pod: whole, want: map[int][]string{
			28: {specifies}, 33: {specifies}, 34: nil, 36: nil, 37: nil, 0: nil,
		}},
		"resources of the pod contradict its containers' from 1.34 on": {
			pod: `{resources: {requests: {cpu: 1}}, containers: [{name: main, resources: {requests: {cpu: 2}}}]}`,
			want: map[int][]string{
				28: nil, 33: nil,
				34: {"spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"},
				37: {"spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"},
				0:  {"spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"},
			},
		},
		"a sidecar runs beside the others from 1.29 on": {pod: sidecar, limitRanges: "[{type: Pod, min: {cpu: 1500m}}]", want: map[int][]string{
			28: {"minimum cpu usage per Pod is 1500m, but request is 1"}, 29: nil, 33: nil, 34: nil, 37: nil, 0: nil,
		}},
		"up to 1.36 a pod's requests come from its limits before a LimitRange gives its containers some": {
			pod: "{resources: {limits: {cpu: 2}}, containers: [{name: main}]}", limitRanges: "[{type: Container, defaultRequest: {cpu: 500m}}, {type: Pod, min: {cpu: 1}}]",
			want: map[int][]string{
				33: {"minimum cpu usage per Pod is 1, but request is 500m"}, // and of the pod nothing is known
				34: nil, 36: nil, 37: {"minimum cpu usage per Pod is 1, but request is 500m"},
			},
		},
		"up to 1.36 requests of the pod stay as they are where it has no limits": {
			pod: "{resources: {requests: {memory: 1Gi}}, containers: [{name: a, resources: {requests: {cpu: 1}}}, {name: b}]}", limitRanges: "[{type: Container, defaultRequest: {cpu: 500m}}]",
			want: map[int][]string{34: nil, 36: nil, 37: nil},
		},
		"up to 1.36 nothing is completed for a pod with requests only": {
			pod: "{resources: {requests: {memory: 1Gi}}, containers: [{name: main, resources: {requests: {cpu: 1}, limits: {cpu: 1, memory: 512Mi}}}]}", limitRanges: "[{type: Pod, max: {memory: 768Mi}}]",
			want: map[int][]string{
				33: nil, 36: {"maximum memory usage per Pod is 768Mi, but request is 1Gi"}, 37: {"maximum memory usage per Pod is 768Mi, but limit is 1Gi"},
			},
		},
	} {
		for minor, want := range test.want {
			t.Run(name, func(t *testing.T) {
				n := Namespace{Quotas: []Quota{{Name: "q", Hard: list(corev1.ResourceCPU)}}, Minor: minor}
				if test.limitRanges != "" {
					n.LimitRanges = []corev1.LimitRange{limitRange(t, test.limitRanges)}
				}
				var got []string
				for _, r := range n.Decide(pod(t, test.pod)).Violations {
					got = append(got, r.Message)
				}
				if !slices.Equal(got, want) {
					t.Errorf("1.%d says %q, want %q", minor, got, want)
				}
			})
		}
	}
}

// TestVersionsOfQuality asks for what older API servers decide otherwise of what is BestEffort. Each pod is of a namespace with the quota compute, on memory of
// pods that are not BestEffort, and a LimitRange that gives cpu to containers.
func TestVersionsOfQuality(t *testing.T) {
	namespace := Namespace{
		Quotas: []Quota{{Name: "compute", Hard: list("memory"), Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotBestEffort}}},
		LimitRanges: []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
			{Type: corev1.LimitTypeContainer, DefaultRequest: list("cpu")},
		}}}},
	}
	const (
		must = "failed quota: compute: must specify memory for: a"
		more = "spec.resources.requests[cpu]: must be greater than or equal to aggregate container requests of 2"
	)
	for name, test := range map[string]struct {
		pod  string
		want map[int]string // by minor version
	}{
		"the pod as a whole names memory": {
			pod:  "{resources: {requests: {memory: 1Gi}}, containers: [{name: a}]}",
			want: map[int]string{28: must, 33: must, 34: "", 36: "", 37: "", 0: ""},
		},
		"the pod as a whole names nothing": {
			pod:  "{resources: {}, containers: [{name: a}]}",
			want: map[int]string{28: must, 33: must, 34: "", 36: "", 37: must, 0: must},
		},
		"requests are completed for huge pages' sake, before there are defaults": {
			pod:  "{resources: {requests: {memory: 1Gi}}, containers: [{name: a, resources: {limits: {hugepages-2Mi: 2Mi, memory: 1Gi}, requests: {cpu: 1}}}, {name: b}]}",
			want: map[int]string{34: more, 36: more, 37: "", 0: ""},
		},
	} {
		for minor, want := range test.want {
			t.Run(fmt.Sprintf("%s, 1.%d", name, minor), func(t *testing.T) {
				namespace.Minor = minor
				var got []string
				for _, r := range namespace.Decide(pod(t, test.pod)).Violations {
					got = append(got, r.Message)
				}
				if strings.Join(got, " | ") != want {
					t.Errorf("refused with %q, want %q", got, want)
				}
			})
		}
	}
}

// TestScopeOfClaims is about the one scope that not all versions know.
func TestScopeOfClaims(t *testing.T) {
	spec := &corev1.ResourceQuotaSpec{Hard: list("requests.storage"), Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeVolumeAttributesClass}}
	for minor, want := range map[int]int{28: 1, 32: 1, 33: 0, 37: 0, 0: 0} {
		problems := ValidateSpec(spec, field.NewPath("spec"), minor)
		if len(problems) != want || want > 0 && slices.Contains(problems[0].Known, string(spec.Scopes[0])) {
			t.Errorf("1.%d: %v, want %d problems", minor, problems, want)
		}
	}
}
