package quota

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SpecError is a reason for which the API server refuses a ResourceQuota.
type SpecError struct {
	// Path is the path of the field.
	Path *field.Path
	// Message is the API server's message.
	Message string
	// Name is the resource, scope or operator concerned, if any.
	Name string
	// Supported lists the valid names, if Name is not one.
	Supported []string
}

// ValidateSpec returns every reason for which the API server would refuse a ResourceQuota with this spec, in a fixed order. path
// is the path of the spec. minor is the minor version of Kubernetes, such as 34; 0 counts as the newest.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuotaSpec.
func ValidateSpec(spec *corev1.ResourceQuotaSpec, path *field.Path, minor int) []SpecError {
	var out []SpecError
	for _, name := range slices.Sorted(maps.Keys(spec.Hard)) {
		namePath := path.Child("hard").Key(string(name))
		for _, message := range validateQuotaResourceName(name) {
			out = append(out, SpecError{Path: namePath, Message: message, Name: string(name), Supported: standardQuotaResources})
		}
		for _, message := range validateQuantity(name, spec.Hard[name]) {
			out = append(out, SpecError{Path: namePath, Message: message, Name: string(name)})
		}
	}
	for i, scope := range spec.Scopes {
		out = append(out, validateScope(scope, spec.Hard, path.Child("scopes").Index(i), minor)...)
	}
	out = append(out, validateScopeConflicts(spec.Scopes, path.Child("scopes"))...)
	if spec.ScopeSelector == nil {
		return out
	}
	selectorPath := path.Child("scopeSelector", "matchExpressions")
	var scopes []corev1.ResourceQuotaScope
	for i, r := range spec.ScopeSelector.MatchExpressions {
		scopes = append(scopes, r.ScopeName)
		out = append(out, validateScope(r.ScopeName, spec.Hard, selectorPath.Index(i).Child("scopeName"), minor)...)
		out = append(out, validateSelectorRequirement(r, selectorPath.Index(i))...)
	}
	return append(out, validateScopeConflicts(scopes, selectorPath)...)
}

// ChangesScopes reports whether an update changes the field scopes of a ResourceQuota, which the API server does not allow. The
// order of the scopes does not matter, and the scope selector may change.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuotaUpdate.
func ChangesScopes(oldSpec, newSpec *corev1.ResourceQuotaSpec) bool {
	return !sets.New(oldSpec.Scopes...).Equal(sets.New(newSpec.Scopes...))
}

// podScopeResources and claimScopeResources are the standard resources that a quota may limit if its scope selects pods or
// PersistentVolumeClaims.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go podComputeQuotaResources, pvcStorageQuotaResources.
var (
	podScopeResources   = append(slices.Clone(constrainedResources), corev1.ResourcePods)
	claimScopeResources = []corev1.ResourceName{corev1.ResourcePersistentVolumeClaims, corev1.ResourceRequestsStorage}
)

// scopeResources maps each scope to the standard resources that a quota with this scope may limit.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go IsResourceQuotaScopeValidForResource.
var scopeResources = map[corev1.ResourceQuotaScope][]corev1.ResourceName{
	corev1.ResourceQuotaScopeTerminating:               podScopeResources,
	corev1.ResourceQuotaScopeNotTerminating:            podScopeResources,
	corev1.ResourceQuotaScopeNotBestEffort:             podScopeResources,
	corev1.ResourceQuotaScopePriorityClass:             podScopeResources,
	corev1.ResourceQuotaScopeCrossNamespacePodAffinity: podScopeResources,
	corev1.ResourceQuotaScopeBestEffort:                {corev1.ResourcePods},
	corev1.ResourceQuotaScopeVolumeAttributesClass:     claimScopeResources,
}

// validateScope validates one scope of a quota: that the API server supports it, and that it fits the quota's resources.
func validateScope(scope corev1.ResourceQuotaScope, hard corev1.ResourceList, path *field.Path, minor int) []SpecError {
	isSupported := func(s corev1.ResourceQuotaScope) bool {
		return s != corev1.ResourceQuotaScopeVolumeAttributesClass || atLeast(minor, volumeAttributesClassScopeSince)
	}
	allowed, ok := scopeResources[scope]
	if !ok || !isSupported(scope) {
		var supported []string
		for s := range scopeResources {
			if isSupported(s) {
				supported = append(supported, string(s))
			}
		}
		slices.Sort(supported)
		return []SpecError{{Path: path, Message: "unsupported scope", Name: string(scope), Supported: supported}}
	}
	var out []SpecError
	for _, name := range slices.Sorted(maps.Keys(hard)) {
		if isStandard(name) && !slices.Contains(allowed, name) {
			out = append(out, SpecError{Path: path, Message: "unsupported scope applied to resource", Name: string(name)})
		}
	}
	return out
}

// validateScopeConflicts validates that no scope stands beside its opposite.
func validateScopeConflicts(scopes []corev1.ResourceQuotaScope, path *field.Path) []SpecError {
	var out []SpecError
	for _, scope := range []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeTerminating} {
		if slices.Contains(scopes, scope) && slices.Contains(scopes, "Not"+scope) {
			out = append(out, SpecError{Path: path, Message: "conflicting scopes", Name: string(scope)})
		}
	}
	return out
}

// validateSelectorRequirement validates the operator and the values of a scope selector's requirement.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validateScopedResourceSelectorRequirement.
func validateSelectorRequirement(r corev1.ScopedResourceSelectorRequirement, path *field.Path) []SpecError {
	var out []SpecError
	add := func(child, message, name string, supported ...string) {
		out = append(out, SpecError{Path: path.Child(child), Message: message, Name: name, Supported: supported})
	}
	switch r.ScopeName {
	case corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeVolumeAttributesClass:
	default:
		if _, ok := scopeResources[r.ScopeName]; ok && r.Operator != corev1.ScopeSelectorOpExists {
			add("operator", fmt.Sprintf("must be 'Exists' when scope is %s", r.ScopeName), string(r.Operator))
		}
	}
	switch r.Operator {
	case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
		if len(r.Values) == 0 {
			add("values", fmt.Sprintf("must be at least one value when operator is %s", r.Operator), "")
		}
	case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			add("values", fmt.Sprintf("must be no value when operator is %s", r.Operator), "")
		}
	default:
		add("operator", "not a valid selector operator", string(r.Operator), "DoesNotExist", "Exists", "In", "NotIn")
	}
	return out
}
