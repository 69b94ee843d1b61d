package validators

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// namespaceLimits are the ResourceQuotas and LimitRanges of a namespace.
type namespaceLimits struct {
	// enforced has the part of each quota that is enforced now and will stay. desired also has what the quota controller has yet to add
	// or to remove.
	enforced, desired quota.Namespace
	// syncing says that the two differ.
	syncing bool
	// defaultClassUnknown and versionUnknown say that the cluster's default PriorityClass and its version are unknown.
	defaultClassUnknown, versionUnknown bool
}

// readNamespaceLimits reads everything that decides whether these pods are admitted. The findings say what could not be read.
func readNamespaceLimits(namespace string, pods []forecast.Pod, facts Facts) (namespaceLimits, []Finding) {
	n := namespaceLimits{}
	n.readVersion(pods, facts) // a pod may be invalid even without any quota and LimitRange
	limitRanges, err := facts.LimitRanges(namespace)
	if err != nil { // without them the resources of all containers are unknown
		return n, []Finding{
			unchecked(WorkflowQuotaCompute, "spec", "the pods were not checked against quotas and LimitRanges: %v", err),
		}
	}
	n.enforced.LimitRanges, n.desired.LimitRanges = limitRanges, limitRanges
	var out []Finding
	quotas, err := facts.ResourceQuotas(namespace)
	if err != nil {
		out = append(out, unchecked(WorkflowQuotaCompute, "spec", "the pods were not checked against quotas: %v", err))
	}
	if len(quotas) == 0 && len(limitRanges) == 0 {
		return n, out
	}
	for _, q := range quotas {
		if q.DeletionTimestamp == nil {
			n.addQuota(q)
		}
	}
	if n.desired.HasScope(corev1.ResourceQuotaScopePriorityClass) {
		class, err := defaultPriorityClass(facts)
		n.defaultClassUnknown = err != nil
		n.enforced.DefaultPriorityClass, n.desired.DefaultPriorityClass = class, class
	}
	return n, out
}

// addQuota adds a quota, split into its enforced and its desired part.
func (n *namespaceLimits) addQuota(q corev1.ResourceQuota) {
	both, either := corev1.ResourceList{}, corev1.ResourceList{}
	for name, amount := range q.Spec.Hard {
		either[name] = amount
		if _, ok := q.Status.Hard[name]; ok {
			both[name] = amount
		}
	}
	for name, amount := range q.Status.Hard {
		either[name] = amount
	}
	add := func(to *quota.Namespace, hard corev1.ResourceList) {
		to.Quotas = append(to.Quotas, quota.Quota{Name: q.Name, Hard: hard, Scopes: q.Spec.Scopes, ScopeSelector: q.Spec.ScopeSelector})
	}
	n.syncing = n.syncing || len(both) != len(either)
	add(&n.enforced, both)
	add(&n.desired, either)
}

// readVersion reads the version of Kubernetes if it makes a difference for one of these pods.
func (n *namespaceLimits) readVersion(pods []forecast.Pod, facts Facts) {
	if !slices.ContainsFunc(pods, func(p forecast.Pod) bool { return hasPodLevelResources(&p) || hasSidecar(&p) }) {
		return
	}
	minor := minorVersion(facts)
	n.enforced.Minor, n.desired.Minor, n.versionUnknown = minor, minor, minor == 0
}

// hasPodLevelResources reports whether a pod has resources of its own, beside those of its containers.
func hasPodLevelResources(pod *forecast.Pod) bool {
	return pod.Spec.Resources != nil ||
		slices.ContainsFunc(pod.RuntimeResources, func(r forecast.RuntimeResource) bool { return r.Container == "" })
}

// hasSidecar reports whether a pod has a sidecar, an init container that keeps running, which changes the sum of the pod's resources.
func hasSidecar(pod *forecast.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.RestartPolicy != nil })
}

// certain reports whether a violation is independent of everything unknown about the pod and the cluster.
func (n namespaceLimits) certain(violation quota.Violation, pod *forecast.Pod) bool {
	if n.versionUnknown {
		ofPod := violation.Stage == quota.LimitRanger && violation.Container == ""
		if hasPodLevelResources(pod) || hasSidecar(pod) && ofPod {
			return false
		}
	}
	if violation.Stage != quota.ResourceQuota {
		return len(pod.RuntimeResources) == 0 // the amounts are unknown
	}
	i := slices.IndexFunc(n.desired.Quotas, func(q quota.Quota) bool { return q.Name == violation.Object })
	return !slices.ContainsFunc(quota.ScopeNames(n.desired.Quotas[i]), func(scope corev1.ResourceQuotaScope) bool {
		switch scope {
		case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating:
			return pod.DeadlineUnknown
		case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort:
			return len(pod.RuntimeResources) > 0
		case corev1.ResourceQuotaScopePriorityClass:
			return n.defaultClassUnknown && pod.Spec.PriorityClassName == ""
		case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
			return true // the affinity may be that of an enclosing template
		}
		return false
	})
}

// withPlaceholders returns a pod's spec with a placeholder for each amount that is known only at run time. Quotas only check whether there
// is an amount.
func withPlaceholders(pod *forecast.Pod) *corev1.PodSpec {
	if len(pod.RuntimeResources) == 0 {
		return &pod.Spec
	}
	spec := pod.Spec.DeepCopy()
	for _, r := range pod.RuntimeResources {
		if r.Container == "" {
			if spec.Resources == nil {
				spec.Resources = &corev1.ResourceRequirements{}
			}
			setPlaceholder(spec.Resources, r.Resource)
			continue
		}
		for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
			for i := range containers {
				if containers[i].Name == r.Container {
					setPlaceholder(&containers[i].Resources, r.Resource)
				}
			}
		}
	}
	return spec
}

// setPlaceholder sets a resource, named like limits.cpu or requests.cpu, to some amount.
func setPlaceholder(r *corev1.ResourceRequirements, name string) {
	list, resourceName, _ := strings.Cut(name, ".")
	into := &r.Requests
	if list == "limits" {
		into = &r.Limits
	}
	if *into == nil {
		*into = corev1.ResourceList{}
	}
	(*into)[corev1.ResourceName(resourceName)] = resource.MustParse("1")
}

// defaultPriorityClass returns the cluster's PriorityClass for pods that name none; empty if it has none. Of several, the one with the
// lowest value counts.
// Source: k8s.io/kubernetes v1.37.2 plugin/pkg/admission/priority/admission.go getDefaultPriorityClass.
func defaultPriorityClass(facts Facts) (string, error) {
	classes, err := facts.PriorityClasses()
	if err != nil {
		return "", err
	}
	name, value := "", int32(0)
	for _, c := range classes {
		if c.GlobalDefault && (name == "" || c.Value < value) {
			name, value = c.Name, c.Value
		}
	}
	return name, nil
}

// minorVersion returns the minor version of Kubernetes; 0 if unknown, which package quota treats as the newest.
func minorVersion(facts Facts) int {
	text, err := facts.ServerVersion()
	if err != nil {
		return 0
	}
	v, err := version.ParseGeneric(text)
	if err != nil || v.Major() != 1 {
		return 0
	}
	return int(v.Minor())
}

// resourceNames returns the quota's names for missing values, and the field of a LimitRange that supplies them.
func resourceNames(missing []quota.Missing) (names []string, defaultsField string) {
	defaultsField = "defaultRequest"
	for _, m := range missing {
		names = append(names, string(m.Resource))
		if quota.IsLimit(m.Resource) {
			defaultsField = "default" // which also supplies the request
		}
	}
	return names, defaultsField
}

// computeNames returns the plain resources, cpu and memory, of names such as limits.cpu.
func computeNames(missing []quota.Missing) []string {
	var out []string
	for _, m := range missing {
		out = append(out, string(quota.ComputeResource(m.Resource)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mergeMissing merges the missing values of two pods.
func mergeMissing(a, b []quota.Missing) []quota.Missing {
	out := slices.Clone(a)
	for _, m := range b {
		i := slices.IndexFunc(out, func(o quota.Missing) bool { return o.Resource == m.Resource })
		if i < 0 {
			out = append(out, m)
			continue
		}
		containers := slices.Concat(out[i].Containers, m.Containers)
		slices.Sort(containers)
		out[i] = quota.Missing{Resource: m.Resource, Containers: slices.Compact(containers)}
	}
	slices.SortFunc(out, func(a, b quota.Missing) int { return strings.Compare(string(a.Resource), string(b.Resource)) })
	return out
}

// containersOf returns the containers that lack values, sorted.
func containersOf(missing []quota.Missing) []string {
	var containers []string
	for _, m := range missing {
		containers = append(containers, m.Containers...)
	}
	slices.Sort(containers)
	return slices.Compact(containers)
}
