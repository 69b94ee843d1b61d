package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SpecProblem is something for which the API server refuses a ResourceQuota.
type SpecProblem struct {
	// Path of the field, below the spec.
	Path *field.Path
	// Message is the API server's reason.
	Message string
	// Name is the resource or the scope that it is about; empty where it is about none.
	Name string
	// Known are the names that it could be, if it is the name that is wrong.
	Known []string
}

// ValidateSpec lists everything for which the API server would refuse a ResourceQuota with this spec, in a fixed order. path is
// where the spec is, and minor the minor version of Kubernetes, such as 34; 0 counts as the newest.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuotaSpec.
func ValidateSpec(spec *corev1.ResourceQuotaSpec, path *field.Path, minor int) []SpecProblem {
	var out []SpecProblem
	for _, name := range slices.Sorted(maps.Keys(spec.Hard)) {
		at := path.Child("hard").Key(string(name))
		for _, why := range invalidForQuota(name) {
			out = append(out, SpecProblem{Path: at, Message: why, Name: string(name), Known: knownNames})
		}
		for _, why := range invalidAmount(name, spec.Hard[name]) {
			out = append(out, SpecProblem{Path: at, Message: why, Name: string(name)})
		}
	}
	for i, scope := range spec.Scopes {
		out = append(out, invalidScope(scope, spec.Hard, path.Child("scopes").Index(i), minor)...)
	}
	out = append(out, contradictory(spec.Scopes, path.Child("scopes"))...)
	if spec.ScopeSelector == nil {
		return out
	}
	at := path.Child("scopeSelector", "matchExpressions")
	var scopes []corev1.ResourceQuotaScope
	for i, r := range spec.ScopeSelector.MatchExpressions {
		scopes = append(scopes, r.ScopeName)
		out = append(out, invalidScope(r.ScopeName, spec.Hard, at.Index(i).Child("scopeName"), minor)...)
		out = append(out, invalidOperator(r, at.Index(i))...)
	}
	return append(out, contradictory(scopes, at)...)
}

// ChangesScopes reports whether the scopes of a quota change, which the API server does not allow. The order does not matter,
// and neither does the selector.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuotaUpdate.
func ChangesScopes(old, new *corev1.ResourceQuotaSpec) bool {
	return !sets.New(old.Scopes...).Equal(sets.New(new.Scopes...))
}

// counted are the names that count objects.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go integerResources.
var counted = map[corev1.ResourceName]bool{
	corev1.ResourcePods: true, corev1.ResourceQuotas: true, corev1.ResourceServices: true, corev1.ResourceReplicationControllers: true,
	corev1.ResourceSecrets: true, corev1.ResourceConfigMaps: true, corev1.ResourcePersistentVolumeClaims: true,
	corev1.ResourceServicesNodePorts: true, corev1.ResourceServicesLoadBalancers: true,
}

// podCompute and claimNames are the names that scopes of pods and of claims may have beside them.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go podComputeQuotaResources, pvcStorageQuotaResources.
var (
	podCompute = append(slices.Clone(forcing), corev1.ResourcePods)
	claimNames = []corev1.ResourceName{corev1.ResourcePersistentVolumeClaims, corev1.ResourceRequestsStorage}
)

// knownNames are the names without a slash that a quota may have, sorted; huge pages come in sizes.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go standardQuotaResources.
var knownNames = func() []string {
	var names []string
	for _, name := range slices.Concat(slices.Collect(maps.Keys(counted)), forcing, []corev1.ResourceName{
		corev1.ResourceEphemeralStorage, corev1.ResourceRequestsEphemeralStorage, corev1.ResourceLimitsEphemeralStorage, corev1.ResourceRequestsStorage,
	}) {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}()

// invalidForQuota lists why a quota can't have a name. Any name with a slash will do.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuotaResourceName.
func invalidForQuota(name corev1.ResourceName) []string {
	why := invalidName(name)
	if !strings.Contains(string(name), "/") && !isStandard(name) {
		why = append(why, "must be a standard resource for quota")
	}
	return why
}

// isStandard reports whether a name is one that quotas have by themselves.
func isStandard(name corev1.ResourceName) bool {
	return slices.Contains(knownNames, string(name)) || isHugePages(name) || strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix)
}

// scopes are the scopes of a quota, and the standard names that may stand beside each.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go IsResourceQuotaScopeValidForResource.
var scopes = map[corev1.ResourceQuotaScope][]corev1.ResourceName{
	corev1.ResourceQuotaScopeTerminating:               podCompute,
	corev1.ResourceQuotaScopeNotTerminating:            podCompute,
	corev1.ResourceQuotaScopeNotBestEffort:             podCompute,
	corev1.ResourceQuotaScopePriorityClass:             podCompute,
	corev1.ResourceQuotaScopeCrossNamespacePodAffinity: podCompute,
	corev1.ResourceQuotaScopeBestEffort:                {corev1.ResourcePods},
	corev1.ResourceQuotaScopeVolumeAttributesClass:     claimNames,
}

func invalidScope(scope corev1.ResourceQuotaScope, hard corev1.ResourceList, at *field.Path, minor int) []SpecProblem {
	knows := func(s corev1.ResourceQuotaScope) bool {
		return s != corev1.ResourceQuotaScopeVolumeAttributesClass || since(minor, knowsScopeOfClaims)
	}
	allowed, ok := scopes[scope]
	if !ok || !knows(scope) {
		var known []string
		for s := range scopes {
			if knows(s) {
				known = append(known, string(s))
			}
		}
		slices.Sort(known)
		return []SpecProblem{{Path: at, Message: "unsupported scope", Name: string(scope), Known: known}}
	}
	var out []SpecProblem
	for _, name := range slices.Sorted(maps.Keys(hard)) {
		if isStandard(name) && !slices.Contains(allowed, name) {
			out = append(out, SpecProblem{Path: at, Message: "unsupported scope applied to resource", Name: string(name)})
		}
	}
	return out
}

func contradictory(list []corev1.ResourceQuotaScope, at *field.Path) []SpecProblem {
	var out []SpecProblem
	for _, scope := range []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeTerminating} {
		if slices.Contains(list, scope) && slices.Contains(list, "Not"+scope) {
			out = append(out, SpecProblem{Path: at, Message: "conflicting scopes", Name: string(scope)})
		}
	}
	return out
}

// invalidOperator lists what is wrong with the operator and the values of a selector's requirement.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validateScopedResourceSelectorRequirement.
func invalidOperator(r corev1.ScopedResourceSelectorRequirement, at *field.Path) []SpecProblem {
	var out []SpecProblem
	switch r.ScopeName {
	case corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeVolumeAttributesClass:
	default:
		if _, known := scopes[r.ScopeName]; known && r.Operator != corev1.ScopeSelectorOpExists {
			out = append(out, SpecProblem{Path: at.Child("operator"), Message: fmt.Sprintf("must be 'Exists' when scope is %s", r.ScopeName), Name: string(r.Operator)})
		}
	}
	switch r.Operator {
	case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
		if len(r.Values) == 0 {
			out = append(out, SpecProblem{Path: at.Child("values"), Message: fmt.Sprintf("must be at least one value when operator is %s", r.Operator)})
		}
	case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			out = append(out, SpecProblem{Path: at.Child("values"), Message: fmt.Sprintf("must be no value when operator is %s", r.Operator)})
		}
	default:
		known := []string{"DoesNotExist", "Exists", "In", "NotIn"}
		out = append(out, SpecProblem{Path: at.Child("operator"), Message: "not a valid selector operator", Name: string(r.Operator), Known: known})
	}
	return out
}
