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

// namespaceLimits are the quotas and LimitRanges that decide about the pods of a namespace.
type namespaceLimits struct {
	// enforced is what is enforced already and will be. soon also has what a quota controller has not carried over yet.
	enforced, desired quota.Namespace
	// syncing says that the two differ.
	syncing bool
	// defaultClassUnknown and openVersion say that the cluster's default PriorityClass and its version are not known.
	defaultClassUnknown, versionUnknown bool
}

// readNamespaceLimits asks for all that decides about these pods. What could not be found out is left out, and said.
func readNamespaceLimits(namespace string, pods []forecast.Pod, facts Facts) (namespaceLimits, []Finding) {
	n := namespaceLimits{}
	n.readVersion(pods, facts) // a pod may contradict itself where there is no quota and no LimitRange
	limitRanges, err := facts.LimitRanges(namespace)
	if err != nil { // then no container's values are known
		return n, []Finding{unchecked(WorkflowQuotaCompute, "the pods were not checked against quotas and LimitRanges: %v", err)}
	}
	n.enforced.LimitRanges, n.desired.LimitRanges = limitRanges, limitRanges
	var out []Finding
	quotas, err := facts.ResourceQuotas(namespace)
	if err != nil {
		out = append(out, unchecked(WorkflowQuotaCompute, "the pods were not checked against quotas: %v", err))
	}
	if len(quotas) == 0 && len(limitRanges) == 0 {
		return n, out
	}
	for _, q := range quotas {
		if q.DeletionTimestamp != nil {
			continue
		}
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
	if n.desired.HasScope(corev1.ResourceQuotaScopePriorityClass) {
		class, err := defaultPriorityClass(facts)
		n.defaultClassUnknown = err != nil
		n.enforced.DefaultPriorityClass, n.desired.DefaultPriorityClass = class, class
	}
	return n, out
}

// readVersion asks for the version of Kubernetes, if there are pods of which not all versions make the same.
func (n *namespaceLimits) readVersion(pods []forecast.Pod, facts Facts) {
	if !slices.ContainsFunc(pods, func(p forecast.Pod) bool { return asAWhole(&p) || hasSidecar(&p) }) {
		return
	}
	minor := minorVersion(facts)
	n.enforced.Minor, n.desired.Minor, n.versionUnknown = minor, minor, minor == 0
}

// asAWhole reports whether a pod has resources of its own, beside those of its containers.
func asAWhole(pod *forecast.Pod) bool {
	return pod.Spec.Resources != nil || slices.ContainsFunc(pod.RuntimeResources, func(u forecast.RuntimeResource) bool { return u.Container == "" })
}

// hasSidecar reports whether an init container goes on beside the others, which counts for what a pod adds up to.
func hasSidecar(pod *forecast.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.RestartPolicy != nil })
}

// certain reports whether a refusal does not hang on something about the pod that is not known.
func (n namespaceLimits) certain(refusal quota.Violation, pod *forecast.Pod) bool {
	if n.versionUnknown && (asAWhole(pod) || hasSidecar(pod) && refusal.Gate == quota.LimitRanger && refusal.Container == "") {
		return false
	}
	if refusal.Gate != quota.ResourceQuota {
		return len(pod.RuntimeResources) == 0 // an amount that nobody knows yet
	}
	i := slices.IndexFunc(n.desired.Quotas, func(q quota.Quota) bool { return q.Name == refusal.Object })
	return !slices.ContainsFunc(quota.ScopeNames(n.desired.Quotas[i]), func(scope corev1.ResourceQuotaScope) bool {
		switch scope {
		case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating:
			return pod.DeadlineUnknown
		case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort:
			return len(pod.RuntimeResources) > 0
		case corev1.ResourceQuotaScopePriorityClass:
			return n.defaultClassUnknown && pod.Spec.PriorityClassName == ""
		case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
			return true // the affinity may be that of a template around this one
		}
		return false
	})
}

// withUndecided is a pod's spec with something in the place of amounts that exist only at run time: that they are there is what
// quotas ask.
func withUndecided(pod *forecast.Pod) *corev1.PodSpec {
	if len(pod.RuntimeResources) == 0 {
		return &pod.Spec
	}
	spec := pod.Spec.DeepCopy()
	for _, u := range pod.RuntimeResources {
		if u.Container == "" {
			if spec.Resources == nil {
				spec.Resources = &corev1.ResourceRequirements{}
			}
			put(spec.Resources, u.Resource)
			continue
		}
		for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
			for i := range containers {
				if containers[i].Name == u.Container {
					put(&containers[i].Resources, u.Resource)
				}
			}
		}
	}
	return spec
}

// put sets a resource, which is named as limits.cpu or requests.cpu.
func put(r *corev1.ResourceRequirements, name string) {
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

// defaultPriorityClass is the cluster's PriorityClass for pods that name none; empty if it has none. Of several the one with
// the lowest value is taken.
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

// minorVersion is the minor version of Kubernetes; 0 where it is not known, which counts as the newest.
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
