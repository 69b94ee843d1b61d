package quota

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestExcesses(t *testing.T) {
	const driver = "{initContainers: [{name: init}], containers: [{name: wait}, " +
		"{name: main, resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 500m, memory: 512Mi}}}]}"
	for name, test := range map[string]struct {
		pod         string
		hard        string
		scopes      []corev1.ResourceQuotaScope
		limitRanges string
		want        []string
	}{
		"as much as requested": {
			pod:  driver,
			hard: "{cpu: 100m, requests.memory: 64Mi, limits.cpu: 500m, limits.memory: 512Mi, pods: 1}",
		},
		"less than requested, sorted": {
			pod:  driver,
			hard: "{requests.memory: 63Mi, cpu: 99m}",
			want: []string{"q: 100m of cpu, 99m allowed", "q: 64Mi of requests.memory, 63Mi allowed"},
		},
		"limits below the pod's": {
			pod:  driver,
			hard: "{limits.cpu: 499m, requests.cpu: 499m}",
			want: []string{"q: 500m of limits.cpu, 499m allowed"},
		},
		"requests that come from limits": {
			pod:  "{containers: [{name: main, resources: {limits: {memory: 1Gi}}}]}",
			hard: "{memory: 512Mi}",
			want: []string{"q: 1Gi of memory, 512Mi allowed"},
		},
		"requests from a LimitRange": {
			pod:         driver,
			hard:        "{cpu: 150m}",
			limitRanges: "[{type: Container, defaultRequest: {cpu: 60m}}]",
			want:        []string{"q: 160m of cpu, 150m allowed"},
		},
		"init containers, one at a time": {
			pod: "{initContainers: [{name: a, resources: {requests: {cpu: 3}}}, {name: b, resources: {requests: {cpu: 2}}}], " +
				"containers: [{name: c, resources: {requests: {cpu: 1}}}]}",
			hard: "{cpu: 2}",
			want: []string{"q: 3 of cpu, 2 allowed"},
		},
		"pod-level resources": {
			pod:  "{resources: {requests: {cpu: 3}}, containers: [{name: c, resources: {requests: {cpu: 1}}}]}",
			hard: "{cpu: 2}",
			want: []string{"q: 3 of cpu, 2 allowed"},
		},
		"no pods allowed": {
			pod:  driver,
			hard: "{pods: 0, count/pods: 0}",
			want: []string{"q: 1 of count/pods, 0 allowed", "q: 1 of pods, 0 allowed"},
		},
		"a pod without resources":  {pod: nothingSet, hard: "{cpu: 0, limits.memory: 0}"},
		"a negative amount":        {pod: driver, hard: "{cpu: -1}", want: []string{"q: 100m of cpu, -1 allowed"}},
		"more than an int64 holds": {pod: driver, hard: "{cpu: 1e40, memory: 1e40}"},
		"names other than cpu, memory and pods": {
			pod:  driver,
			hard: "{requests.nvidia.com/gpu: 0, requests.storage: 0, ephemeral-storage: 0, hugepages-2Mi: 0, count/secrets: 0}",
		},
		"a quota whose scope does not match": {pod: driver, hard: "{cpu: 0}", scopes: []corev1.ResourceQuotaScope{"Terminating"}},
		"a quota without limits":             {pod: driver, hard: "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			n := Namespace{Quotas: []Quota{{Name: "q", Scopes: test.scopes}}}
			unmarshal(t, test.hard, &n.Quotas[0].Hard)
			if test.limitRanges != "" {
				n.LimitRanges = []corev1.LimitRange{limitRange(t, test.limitRanges)}
			}
			var got []string
			for _, e := range n.Excesses(pod(t, test.pod)) {
				got = append(got, fmt.Sprintf("%s: %s of %s, %s allowed", e.Quota, &e.Requested, e.Resource, &e.Hard))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestNeverCounted(t *testing.T) {
	for name, want := range map[corev1.ResourceName]bool{
		"nvidia.com/gpu":           true,
		"limits.nvidia.com/gpu":    true,
		"example.com/anything":     true,
		"requests.nvidia.com/gpu":  false,
		"cpu":                      false,
		"limits.memory":            false,
		"limits.ephemeral-storage": false,
		"hugepages-2Mi":            false,
		"requests.hugepages-2Mi":   false,
		"persistentvolumeclaims":   false,
		"count/pods":               false,
		"count/deployments.apps":   false,
		"kubernetes.io/batch":      false,
		"a b/c":                    false, // not a valid name
		"":                         false,
		"gold.storageclass.storage.k8s.io/requests.storage": false,
		"gpu.deviceclass.resource.k8s.io/devices":           false,
	} {
		t.Run(string(name), func(t *testing.T) {
			if got := NeverCounted(name); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// limitRange returns a LimitRange with items parsed from YAML.
func limitRange(t *testing.T, items string) (l corev1.LimitRange) {
	t.Helper()
	unmarshal(t, items, &l.Spec.Limits)
	return l
}

// unmarshal parses YAML strictly.
func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
