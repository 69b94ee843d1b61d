package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// random makes objects that are odd, but mostly such that the API server takes them.
type random struct{ *rand.Rand }

// chance is true in so many of a hundred cases.
func (r random) chance(percent int) bool { return r.IntN(100) < percent }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

// amounts are written in more ways than one, and few enough to meet each other.
var amounts = map[corev1.ResourceName][]string{
	"cpu":               {"0", "10m", "100m", "0.5", "500m", "1", "1500m", "2", "4"},
	"memory":            {"0", "32Mi", "64Mi", "128M", "0.5Gi", "512Mi", "1Gi", "2Gi"},
	"ephemeral-storage": {"0", "1Gi", "2Gi"},
	"nvidia.com/gpu":    {"0", "1", "2", "1500m"},
	"hugepages-2Mi":     {"0", "2Mi", "4Mi", "3Mi"},
}

func (r random) amount(of corev1.ResourceName) resource.Quantity {
	return resource.MustParse(pick(r, amounts[of]...))
}

// between is an amount that is not outside of the bounds that are given, if there is one.
func (r random) between(of corev1.ResourceName, low, high *resource.Quantity) resource.Quantity {
	for range 20 {
		q := r.amount(of)
		if (low == nil || q.Cmp(*low) >= 0) && (high == nil || q.Cmp(*high) <= 0) {
			return q
		}
	}
	if low != nil {
		return low.DeepCopy()
	}
	return high.DeepCopy()
}

// requirements are requests and limits, seldom contradictory.
func (r random) requirements(names ...corev1.ResourceName) (out corev1.ResourceRequirements) {
	for _, name := range names {
		likely := 50
		if name != "cpu" && name != "memory" {
			likely = 3
		}
		if r.chance(likely) {
			set(&out.Requests, name, r.amount(name))
		}
		if !r.chance(likely) {
			continue
		}
		request, requested := out.Requests[name]
		switch {
		case !requested || r.chance(5):
			set(&out.Limits, name, r.amount(name))
		case name == "cpu" || name == "memory" || name == "ephemeral-storage":
			set(&out.Limits, name, r.between(name, &request, nil))
		default:
			set(&out.Limits, name, request)
		}
	}
	if r.chance(1) {
		set(&out.Requests, pick[corev1.ResourceName](r, "gpu", "requests.cpu", "pods", "requests.nvidia.com/gpu", "kubernetes.io/x", "a b"), resource.MustParse("1"))
	}
	return out
}

func set(list *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = q
}

// pod is a pod with none to five containers.
func (r random) pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}}
	container := func(i int, prefix string) corev1.Container {
		return corev1.Container{
			Name: fmt.Sprintf("%s%d", prefix, i), Image: "a",
			Resources: r.requirements("cpu", "memory", "ephemeral-storage", "nvidia.com/gpu", "hugepages-2Mi"),
		}
	}
	n := 1 + r.IntN(5)
	if r.chance(1) {
		n = 0
	}
	for i := range n {
		pod.Spec.Containers = append(pod.Spec.Containers, container(i, "c"))
	}
	for i := range max(0, r.IntN(5)-2) {
		c := container(i, "i")
		if r.chance(40) {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	if r.chance(10) { // nobody sets anything
		for i := range pod.Spec.Containers {
			pod.Spec.Containers[i].Resources = corev1.ResourceRequirements{}
		}
	}
	if r.chance(8) {
		whole := r.requirements(pick(r, [][]corev1.ResourceName{{"cpu", "memory"}, {"cpu"}, {"memory", "hugepages-2Mi"}, {"ephemeral-storage"}}...)...)
		pod.Spec.Resources = &whole
	}
	if r.chance(30) {
		seconds := pick[int64](r, 1, 60, 3600)
		pod.Spec.ActiveDeadlineSeconds = &seconds
	}
	if r.chance(25) {
		pod.Spec.PriorityClassName = pick(r, "low", "high")
	}
	if r.chance(15) {
		pod.Spec.Affinity = r.affinity()
	}
	return pod
}

func (r random) affinity() *corev1.Affinity {
	term := corev1.PodAffinityTerm{TopologyKey: "a", LabelSelector: &metav1.LabelSelector{}}
	switch r.IntN(3) {
	case 0:
		term.Namespaces = []string{"other"}
	case 1:
		term.NamespaceSelector = &metav1.LabelSelector{}
	}
	if r.chance(50) {
		return &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term}}}
	}
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term}},
	}}
}

// limitRange is a LimitRange of one to three items.
func (r random) limitRange(name string) *corev1.LimitRange {
	l := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for range 1 + r.IntN(3) {
		item := corev1.LimitRangeItem{Type: pick(r, corev1.LimitTypeContainer, corev1.LimitTypeContainer, corev1.LimitTypeContainer, corev1.LimitTypePod, corev1.LimitTypePersistentVolumeClaim)}
		for _, of := range []corev1.ResourceName{"cpu", "memory", "ephemeral-storage"} {
			if of == "ephemeral-storage" && !r.chance(10) || !r.chance(60) {
				continue
			}
			r.bounds(&item, of)
		}
		if item.Type == corev1.LimitTypePersistentVolumeClaim {
			item = corev1.LimitRangeItem{Type: item.Type, Min: corev1.ResourceList{"storage": resource.MustParse("1Gi")}}
		}
		l.Spec.Limits = append(l.Spec.Limits, item)
	}
	return l
}

// bounds adds a resource to an item, so that min, defaultRequest, default and max follow each other.
func (r random) bounds(item *corev1.LimitRangeItem, of corev1.ResourceName) {
	var low *resource.Quantity
	add := func(list *corev1.ResourceList, percent int) {
		if r.chance(percent) {
			q := r.between(of, low, nil)
			low = &q
			set(list, of, q)
		}
	}
	add(&item.Min, 20)
	if item.Type == corev1.LimitTypeContainer {
		add(&item.DefaultRequest, 40)
		add(&item.Default, 40)
	}
	add(&item.Max, 25)
	if r.chance(10) {
		set(&item.MaxLimitRequestRatio, of, resource.MustParse(pick(r, "1", "1500m", "2", "10")))
	}
}

var quotaNames = []corev1.ResourceName{
	"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
	"pods", "count/pods", "ephemeral-storage", "requests.nvidia.com/gpu", "nvidia.com/gpu", "persistentvolumeclaims",
	"requests.storage", "hugepages-2Mi", "count/deployments.apps", "secrets",
}

// quotaSpec is a ResourceQuotaSpec that the API server takes, mostly.
func (r random) quotaSpec() corev1.ResourceQuotaSpec {
	spec := corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}}
	names := quotaNames
	if r.chance(60) {
		spec.Scopes, spec.ScopeSelector, names = r.scopes()
	}
	for range 1 + r.IntN(3) {
		set(&spec.Hard, pick(r, names...), resource.MustParse("1000"))
	}
	return spec
}

func (r random) scopes() (scopes []corev1.ResourceQuotaScope, selector *corev1.ScopeSelector, names []corev1.ResourceName) {
	names = quotaNames[:7]
	selected := func(scope corev1.ResourceQuotaScope, operator corev1.ScopeSelectorOperator, values ...string) *corev1.ScopeSelector {
		return &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{ScopeName: scope, Operator: operator, Values: values}}}
	}
	switch r.IntN(9) {
	case 0:
		return []corev1.ResourceQuotaScope{"Terminating"}, nil, names
	case 1:
		return []corev1.ResourceQuotaScope{"NotTerminating", "NotBestEffort"}, nil, names
	case 2, 3:
		return []corev1.ResourceQuotaScope{"NotBestEffort"}, nil, names
	case 4:
		return []corev1.ResourceQuotaScope{"BestEffort"}, nil, []corev1.ResourceName{"pods"}
	case 5:
		return nil, selected("PriorityClass", pick(r, corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn), pick(r, "low", "high", "usual")), names
	case 6:
		return nil, selected("PriorityClass", pick(r, corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist)), names
	case 7:
		return []corev1.ResourceQuotaScope{"CrossNamespacePodAffinity"}, nil, names
	}
	return []corev1.ResourceQuotaScope{"PriorityClass"}, selected("NotTerminating", "Exists"), names
}

// brokenSpec is a ResourceQuotaSpec that the API server may refuse.
func (r random) brokenSpec() corev1.ResourceQuotaSpec {
	spec := r.quotaSpec()
	for range r.IntN(3) {
		name := pick[corev1.ResourceName](r, "gpu", "requestsCpu", "requests.gpu", "storage", "nvidia.com/gpu", "requests.nvidia.com/gpu", "count/x.y", "a/b/c", "A",
			"limits.hugepages-2Mi", "requests.hugepages-1Gi", "services.nodeports", "-", "", "kubernetes.io/x", "requests.kubernetes.io/y", corev1.ResourceName(strings.Repeat("n", 64)))
		set(&spec.Hard, name, resource.MustParse(pick(r, "1", "0", "-1", "1500m", "2Gi", "0.5")))
	}
	if r.chance(10) {
		set(&spec.Hard, pick(r, quotaNames...), resource.MustParse(pick(r, "-1", "1500m", "0.0001", "1e30")))
	}
	all := []corev1.ResourceQuotaScope{"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass", "terminating", ""}
	for range max(0, r.IntN(5)-2) {
		spec.Scopes = append(spec.Scopes, pick(r, all...))
	}
	for range max(0, r.IntN(5)-2) {
		if spec.ScopeSelector == nil {
			spec.ScopeSelector = &corev1.ScopeSelector{}
		}
		spec.ScopeSelector.MatchExpressions = append(spec.ScopeSelector.MatchExpressions, corev1.ScopedResourceSelectorRequirement{
			ScopeName: pick(r, all...), Operator: pick[corev1.ScopeSelectorOperator](r, "In", "NotIn", "Exists", "DoesNotExist", "Equals", ""),
			Values: pick(r, nil, []string{}, []string{"a"}, []string{"a", "b"}),
		})
	}
	return spec
}
