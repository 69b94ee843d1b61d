package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// generator generates unusual objects, most of which the API server accepts.
type generator struct{ *rand.Rand }

// chance returns true with the given probability in percent.
func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// quantities are the amounts to choose from: in several notations, and few enough that equal ones occur often.
var quantities = map[corev1.ResourceName][]string{
	"cpu":               {"0", "10m", "100m", "0.5", "500m", "1", "1500m", "2", "4"},
	"memory":            {"0", "32Mi", "64Mi", "128M", "0.5Gi", "512Mi", "1Gi", "2Gi"},
	"ephemeral-storage": {"0", "1Gi", "2Gi"},
	"nvidia.com/gpu":    {"0", "1", "2", "1500m"},
	"hugepages-2Mi":     {"0", "2Mi", "4Mi", "3Mi"},
}

func (g generator) quantity(name corev1.ResourceName) resource.Quantity {
	return resource.MustParse(pick(g, quantities[name]...))
}

// quantityBetween returns an amount between low and high, or one of them if it finds none. Either may be nil, which is no bound.
func (g generator) quantityBetween(name corev1.ResourceName, low, high *resource.Quantity) resource.Quantity {
	for range 20 {
		q := g.quantity(name)
		if (low == nil || q.Cmp(*low) >= 0) && (high == nil || q.Cmp(*high) <= 0) {
			return q
		}
	}
	if low != nil {
		return low.DeepCopy()
	}
	return high.DeepCopy()
}

// requirements returns requests and limits that seldom contradict each other.
func (g generator) requirements(names ...corev1.ResourceName) (out corev1.ResourceRequirements) {
	for _, name := range names {
		percent := 50
		if name != "cpu" && name != "memory" {
			percent = 3
		}
		if g.chance(percent) {
			set(&out.Requests, name, g.quantity(name))
		}
		if !g.chance(percent) {
			continue
		}
		request, requested := out.Requests[name]
		switch {
		case !requested || g.chance(5):
			set(&out.Limits, name, g.quantity(name))
		case name == "cpu" || name == "memory" || name == "ephemeral-storage":
			set(&out.Limits, name, g.quantityBetween(name, &request, nil))
		default:
			set(&out.Limits, name, request)
		}
	}
	if g.chance(1) {
		name := pick[corev1.ResourceName](g, "gpu", "requests.cpu", "pods", "requests.nvidia.com/gpu", "kubernetes.io/x", "a b")
		set(&out.Requests, name, resource.MustParse("1"))
	}
	return out
}

func set(list *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = q
}

// pod returns a pod with zero to five containers.
func (g generator) pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}}
	container := func(i int, prefix string) corev1.Container {
		return corev1.Container{
			Name: fmt.Sprintf("%s%d", prefix, i), Image: "a",
			Resources: g.requirements("cpu", "memory", "ephemeral-storage", "nvidia.com/gpu", "hugepages-2Mi"),
		}
	}
	n := 1 + g.IntN(5)
	if g.chance(1) {
		n = 0
	}
	for i := range n {
		pod.Spec.Containers = append(pod.Spec.Containers, container(i, "c"))
	}
	for i := range max(0, g.IntN(5)-2) {
		c := container(i, "i")
		if g.chance(40) {
			always := corev1.ContainerRestartPolicyAlways
			c.RestartPolicy = &always
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	if g.chance(10) { // no container sets anything
		for i := range pod.Spec.Containers {
			pod.Spec.Containers[i].Resources = corev1.ResourceRequirements{}
		}
	}
	if g.chance(8) {
		choices := [][]corev1.ResourceName{{"cpu", "memory"}, {"cpu"}, {"memory", "hugepages-2Mi"}, {"ephemeral-storage"}}
		podLevel := g.requirements(pick(g, choices...)...)
		pod.Spec.Resources = &podLevel
	}
	if g.chance(30) {
		seconds := pick[int64](g, 1, 60, 3600)
		pod.Spec.ActiveDeadlineSeconds = &seconds
	}
	if g.chance(25) {
		pod.Spec.PriorityClassName = pick(g, "low", "high")
	}
	if g.chance(15) {
		pod.Spec.Affinity = g.affinity()
	}
	return pod
}

func (g generator) affinity() *corev1.Affinity {
	term := corev1.PodAffinityTerm{TopologyKey: "a", LabelSelector: &metav1.LabelSelector{}}
	switch g.IntN(3) {
	case 0:
		term.Namespaces = []string{"other"}
	case 1:
		term.NamespaceSelector = &metav1.LabelSelector{}
	}
	if g.chance(50) {
		return &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term}}}
	}
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term}},
	}}
}

// limitRange returns a LimitRange with one to three items.
func (g generator) limitRange(name string) *corev1.LimitRange {
	l := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for range 1 + g.IntN(3) {
		item := corev1.LimitRangeItem{Type: pick(g,
			corev1.LimitTypeContainer, corev1.LimitTypeContainer, corev1.LimitTypeContainer,
			corev1.LimitTypePod, corev1.LimitTypePersistentVolumeClaim,
		)}
		for _, name := range []corev1.ResourceName{"cpu", "memory", "ephemeral-storage"} {
			if name == "ephemeral-storage" && !g.chance(10) || !g.chance(60) {
				continue
			}
			g.addBounds(&item, name)
		}
		if item.Type == corev1.LimitTypePersistentVolumeClaim {
			item = corev1.LimitRangeItem{Type: item.Type, Min: corev1.ResourceList{"storage": resource.MustParse("1Gi")}}
		}
		l.Spec.Limits = append(l.Spec.Limits, item)
	}
	return l
}

// addBounds adds bounds for a resource to an item, such that min <= defaultRequest <= default <= max.
func (g generator) addBounds(item *corev1.LimitRangeItem, name corev1.ResourceName) {
	var low *resource.Quantity
	add := func(list *corev1.ResourceList, percent int) {
		if g.chance(percent) {
			q := g.quantityBetween(name, low, nil)
			low = &q
			set(list, name, q)
		}
	}
	add(&item.Min, 20)
	if item.Type == corev1.LimitTypeContainer {
		add(&item.DefaultRequest, 40)
		add(&item.Default, 40)
	}
	add(&item.Max, 25)
	if g.chance(10) {
		set(&item.MaxLimitRequestRatio, name, resource.MustParse(pick(g, "1", "1500m", "2", "10")))
	}
}

var quotaNames = []corev1.ResourceName{
	"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
	"pods", "count/pods", "ephemeral-storage", "requests.nvidia.com/gpu", "nvidia.com/gpu", "persistentvolumeclaims",
	"requests.storage", "hugepages-2Mi", "count/deployments.apps", "secrets",
}

// quotaSpec returns a ResourceQuotaSpec that the API server accepts in most cases.
func (g generator) quotaSpec() corev1.ResourceQuotaSpec {
	spec := corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}}
	names := quotaNames
	if g.chance(60) {
		spec.Scopes, spec.ScopeSelector, names = g.scopes()
	}
	for range 1 + g.IntN(3) {
		set(&spec.Hard, pick(g, names...), resource.MustParse("1000"))
	}
	return spec
}

func (g generator) scopes() (scopes []corev1.ResourceQuotaScope, selector *corev1.ScopeSelector, names []corev1.ResourceName) {
	names = quotaNames[:7]
	newSelector := func(scope corev1.ResourceQuotaScope, operator corev1.ScopeSelectorOperator, values ...string) *corev1.ScopeSelector {
		r := corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: operator, Values: values}
		return &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{r}}
	}
	switch g.IntN(9) {
	case 0:
		return []corev1.ResourceQuotaScope{"Terminating"}, nil, names
	case 1:
		return []corev1.ResourceQuotaScope{"NotTerminating", "NotBestEffort"}, nil, names
	case 2, 3:
		return []corev1.ResourceQuotaScope{"NotBestEffort"}, nil, names
	case 4:
		return []corev1.ResourceQuotaScope{"BestEffort"}, nil, []corev1.ResourceName{"pods"}
	case 5:
		operator := pick(g, corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn)
		return nil, newSelector("PriorityClass", operator, pick(g, "low", "high", "usual")), names
	case 6:
		return nil, newSelector("PriorityClass", pick(g, corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist)), names
	case 7:
		return []corev1.ResourceQuotaScope{"CrossNamespacePodAffinity"}, nil, names
	}
	return []corev1.ResourceQuotaScope{"PriorityClass"}, newSelector("NotTerminating", "Exists"), names
}

// unvalidatedQuotaSpec returns a ResourceQuotaSpec that the API server may well refuse.
func (g generator) unvalidatedQuotaSpec() corev1.ResourceQuotaSpec {
	spec := g.quotaSpec()
	for range g.IntN(3) {
		name := pick[corev1.ResourceName](g,
			"gpu", "requestsCpu", "requests.gpu", "storage", "nvidia.com/gpu", "requests.nvidia.com/gpu", "count/x.y", "a/b/c", "A",
			"limits.hugepages-2Mi", "requests.hugepages-1Gi", "services.nodeports", "-", "",
			"kubernetes.io/x", "requests.kubernetes.io/y", corev1.ResourceName(strings.Repeat("n", 64)),
		)
		set(&spec.Hard, name, resource.MustParse(pick(g, "1", "0", "-1", "1500m", "2Gi", "0.5")))
	}
	if g.chance(10) {
		set(&spec.Hard, pick(g, quotaNames...), resource.MustParse(pick(g, "-1", "1500m", "0.0001", "1e30")))
	}
	all := []corev1.ResourceQuotaScope{
		"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
		"VolumeAttributesClass", "terminating", "",
	}
	for range max(0, g.IntN(5)-2) {
		spec.Scopes = append(spec.Scopes, pick(g, all...))
	}
	for range max(0, g.IntN(5)-2) {
		if spec.ScopeSelector == nil {
			spec.ScopeSelector = &corev1.ScopeSelector{}
		}
		spec.ScopeSelector.MatchExpressions = append(spec.ScopeSelector.MatchExpressions, corev1.ScopedResourceSelectorRequirement{
			ScopeName: pick(g, all...), Operator: pick[corev1.ScopeSelectorOperator](g, "In", "NotIn", "Exists", "DoesNotExist", "Equals", ""),
			Values: pick(g, nil, []string{}, []string{"a"}, []string{"a", "b"}),
		})
	}
	return spec
}
