package quota

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// resourceList returns a ResourceList with an arbitrary amount of each resource.
func resourceList(names ...corev1.ResourceName) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, n := range names {
		out[n] = resource.MustParse("1")
	}
	return out
}

// pod parses a PodSpec from YAML.
func pod(t *testing.T, text string) *corev1.PodSpec {
	t.Helper()
	var spec corev1.PodSpec
	if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	return &spec
}

const (
	nothingSet = "{initContainers: [{name: init}], containers: [{name: wait}, {name: main}]}"
	// kfpLauncherPod has the resources of KFP v2's launcher: limits of cpu and memory, a request of cpu only.
	kfpLauncherPod = "{containers: [{name: main, resources: {limits: {cpu: 500m, memory: 256Mi}, requests: {cpu: 100m}}}]}"
)

func TestEvaluate(t *testing.T) {
	for name, test := range map[string]struct {
		pod         string
		hard        []corev1.ResourceName
		scopes      []corev1.ResourceQuotaScope
		selector    string
		limitRanges string
		want        string // the message of the quota, empty if the pod is admitted
	}{
		"nothing set": {
			pod:  nothingSet,
			hard: []corev1.ResourceName{"memory", "cpu"},
			want: "must specify cpu for: init,main,wait; memory for: init,main,wait",
		},
		"resources that containers need not set": {
			pod: nothingSet,
			hard: []corev1.ResourceName{
				"pods",
				"count/pods",
				"requests.nvidia.com/gpu",
				"nvidia.com/gpu",
				"requests.storage",
				"persistentvolumeclaims",
				"ephemeral-storage",
				"limits.ephemeral-storage",
				"hugepages-2Mi",
			},
		},
		"an amount of zero counts as set": {
			pod:  `{containers: [{name: main, resources: {requests: {cpu: "0"}}}]}`,
			hard: []corev1.ResourceName{"cpu"},
		},
		"requests come from limits": {pod: kfpLauncherPod, hard: []corev1.ResourceName{"cpu", "requests.memory", "limits.cpu"}},
		"limits do not come from requests": {
			pod:  `{containers: [{name: main, resources: {requests: {cpu: "1"}}}]}`,
			hard: []corev1.ResourceName{"limits.cpu"},
			want: "must specify limits.cpu for: main",
		},
		"a sidecar among the init containers": {
			pod:  `{initContainers: [{name: proxy, restartPolicy: Always}], containers: [{name: main, resources: {limits: {cpu: "1"}}}]}`,
			hard: []corev1.ResourceName{"requests.cpu"},
			want: "must specify requests.cpu for: proxy",
		},
		"a container name is reported once": {
			pod:  `{containers: [{name: a}, {name: a}]}`,
			hard: []corev1.ResourceName{"cpu"},
			want: "must specify cpu for: a",
		},
		"pod-level resources": {
			pod:  `{resources: {limits: {memory: 1Gi}}, containers: [{name: main}]}`,
			hard: []corev1.ResourceName{"cpu"},
		},
		"pod-level resources that are not supported": {
			pod:  `{resources: {limits: {example.com/x: 1}}, containers: [{name: main}]}`,
			hard: []corev1.ResourceName{"cpu"},
			want: "must specify cpu for: main",
		},

		"LimitRange with default": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu", "limits.cpu"},
			limitRanges: "[{type: Container, default: {cpu: 1}}]",
		},
		"LimitRange with defaultRequest": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu", "limits.cpu"},
			limitRanges: "[{type: Container, defaultRequest: {cpu: 1}}]",
			want:        "must specify limits.cpu for: init,main,wait",
		},
		"LimitRange with max": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu", "limits.cpu"},
			limitRanges: "[{type: Container, max: {cpu: 1}}]",
		},
		"LimitRange with min": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu", "limits.cpu"},
			limitRanges: "[{type: Container, min: {cpu: 1}}]",
			want:        "must specify limits.cpu for: init,main,wait",
		},
		"LimitRange for one resource": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu", "memory"},
			limitRanges: "[{type: Container, max: {cpu: 1}}]",
			want:        "must specify memory for: init,main,wait",
		},
		"LimitRange with two items": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu", "memory"},
			limitRanges: "[{type: Container, max: {cpu: 1}}, {type: Container, defaultRequest: {memory: 1Gi}}]",
		},
		"LimitRange of type Pod": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"cpu"},
			limitRanges: "[{type: Pod, max: {cpu: 1}}]",
			want:        "must specify cpu for: init,main,wait",
		},
		"Terminating, no deadline": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"Terminating"},
		},
		"Terminating, deadline": {
			pod:    "{activeDeadlineSeconds: 5, containers: [{name: main}]}",
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"Terminating"},
			want:   "must specify cpu for: main",
		},
		"NotTerminating, deadline": {
			pod:    "{activeDeadlineSeconds: 5, containers: [{name: main}]}",
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"NotTerminating"},
		},
		"NotTerminating, no deadline": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"NotTerminating"},
			want:   "must specify cpu for: init,main,wait",
		},
		"NotBestEffort, nothing set": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"NotBestEffort"},
		},
		"NotBestEffort, only zeros": {
			pod:    `{containers: [{name: a, resources: {requests: {memory: "0"}}}, {name: b}]}`,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"NotBestEffort"},
		},
		"NotBestEffort, one container set": {
			pod:    "{containers: [{name: a, resources: {limits: {cpu: 1}}}, {name: b}]}",
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"NotBestEffort"},
			want:   "must specify cpu for: b",
		},
		"NotBestEffort because of a LimitRange": {
			pod:         nothingSet,
			hard:        []corev1.ResourceName{"memory"},
			scopes:      []corev1.ResourceQuotaScope{"NotBestEffort"},
			limitRanges: "[{type: Container, max: {cpu: 1}}]",
			want:        "must specify memory for: init,main,wait",
		},
		"BestEffort": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"BestEffort"},
			want:   "must specify cpu for: init,main,wait",
		},
		"all scopes must match": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"NotTerminating", "NotBestEffort"},
		},
		"a scope of claims": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"VolumeAttributesClass"},
		},
		"PriorityClass, none": {
			pod:    nothingSet,
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"PriorityClass"},
		},
		"PriorityClass, one": {
			pod:      "{priorityClassName: high, containers: [{name: main}]}",
			hard:     []corev1.ResourceName{"cpu"},
			selector: "{scopeName: PriorityClass, operator: In, values: [high]}",
			want:     "must specify cpu for: main",
		},
		"PriorityClass, another": {
			pod:      "{priorityClassName: low, containers: [{name: main}]}",
			hard:     []corev1.ResourceName{"cpu"},
			selector: "{scopeName: PriorityClass, operator: In, values: [high]}",
		},
		"PriorityClass, not in": {
			pod:      nothingSet,
			hard:     []corev1.ResourceName{"cpu"},
			selector: "{scopeName: PriorityClass, operator: NotIn, values: [high]}",
			want:     "must specify cpu for: init,main,wait",
		},
		"PriorityClass, must not exist": {
			pod:      nothingSet,
			hard:     []corev1.ResourceName{"cpu"},
			selector: "{scopeName: PriorityClass, operator: DoesNotExist}",
			want:     "must specify cpu for: init,main,wait",
		},
		"affinity within the namespace": {
			pod:    "{affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}, containers: [{name: main}]}",
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"CrossNamespacePodAffinity"},
		},
		"affinity across namespaces": {
			pod: "{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: " +
				"[{weight: 1, podAffinityTerm: {topologyKey: a, namespaces: [b]}}]}}, containers: [{name: main}]}",
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"CrossNamespacePodAffinity"},
			want:   "must specify cpu for: main",
		},
		"affinity across namespaces, by selector": {
			pod: "{affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: " +
				"[{topologyKey: a, namespaceSelector: {}}]}}, containers: [{name: main}]}",
			hard:   []corev1.ResourceName{"cpu"},
			scopes: []corev1.ResourceQuotaScope{"CrossNamespacePodAffinity"},
			want:   "must specify cpu for: main",
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := Quota{Name: "q", Hard: resourceList(test.hard...), Scopes: test.scopes}
			if test.selector != "" {
				q.ScopeSelector = &corev1.ScopeSelector{}
				if err := yaml.UnmarshalStrict([]byte("matchExpressions: ["+test.selector+"]"), q.ScopeSelector); err != nil {
					t.Fatal(err)
				}
			}
			var limitRange corev1.LimitRange
			if test.limitRanges != "" {
				if err := yaml.UnmarshalStrict([]byte("spec: {limits: "+test.limitRanges+"}"), &limitRange); err != nil {
					t.Fatal(err)
				}
			}
			spec := pod(t, test.pod)
			before := fmt.Sprint(spec)
			verdict := Namespace{Quotas: []Quota{q}, LimitRanges: []corev1.LimitRange{limitRange}}.Evaluate(spec)
			var got []string
			for _, v := range verdict.Violations {
				if v.Stage == ResourceQuota {
					got = append(got, MustSpecifyMessage(v.Missing))
				}
			}
			if strings.Join(got, " | ") != test.want {
				t.Errorf("refused with %q, want %q", got, test.want)
			}
			if fmt.Sprint(spec) != before {
				t.Error("the pod was modified")
			}
		})
	}
}

// ExampleNamespace_Evaluate evaluates a pod without resources against two quotas.
func ExampleNamespace_Evaluate() {
	spec := &corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}
	namespace := Namespace{Quotas: []Quota{
		{Name: "gpus", Hard: resourceList("requests.nvidia.com/gpu")},
		{Name: "compute", Hard: resourceList("cpu", "limits.memory")},
	}}
	for _, violation := range namespace.Evaluate(spec).Violations {
		fmt.Println(violation.Message)
	}
	// Output: failed quota: compute: must specify cpu for: main; limits.memory for: main
}
