package validators

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// ProfileQuotaInvalid is the ID of the rule in this file.
const ProfileQuotaInvalid = "profile-quota-invalid"

// The API server accepts a Profile with any resourceQuotaSpec, but may refuse the ResourceQuota that the Profile controller makes from it.
// The controller then retries forever and reports nothing: the Profile's quota, plugins and deletion all wait.
//
// Looks at: spec.resourceQuotaSpec, the existing ResourceQuota, the version of Kubernetes if the quota has the scope
// VolumeAttributesClass, and the Profile's name, which becomes that of a namespace.
// Allows: on update, what was invalid before.
var profileQuotaInvalid = Rule[ProfileChange]{
	ID:          ProfileQuotaInvalid,
	Summary:     "A Profile's quota, or the namespace that the Profile is to have, is one that the API server refuses.",
	DefaultMode: Deny,
	Judge: func(change ProfileChange, facts Facts) []Finding {
		minor := 0
		if hasVolumeAttributesClassScope(change.New) || hasVolumeAttributesClassScope(change.Old) {
			minor = minorVersion(facts)
		}
		var out []Finding
		for _, f := range invalidQuota(change.New, minor) {
			if change.Old == nil || !slices.ContainsFunc(invalidQuota(change.Old, minor), func(o Finding) bool {
				return withoutIndexes(o) == withoutIndexes(f)
			}) {
				out = append(out, f)
			}
		}
		if change.Old != nil {
			return append(out, changedScopes(change, facts)...)
		}
		return append(out, invalidNamespaceName(change.New)...)
	},
}

// withoutIndexes returns the texts of a finding without list indexes, to compare findings of the old and the new Profile: an invalid
// scope is not new because one before it was removed.
func withoutIndexes(f Finding) string { return indexPattern.ReplaceAllString(f.Problem+f.Fix, "[]") }

var indexPattern = regexp.MustCompile(`\[\d+\]`)

const quotaNotCreated = "The Profile controller can't create ResourceQuota '%s' and retries without reporting it: '%s'"

// invalidQuota returns what an API server of a minor version refuses in the quota. A quota without limits is never created.
func invalidQuota(profile *Profile, minor int) []Finding {
	spec, path := &profile.Spec.ResourceQuotaSpec, field.NewPath("spec", "resourceQuotaSpec")
	if len(spec.Hard) == 0 {
		if len(spec.Scopes) == 0 && spec.ScopeSelector == nil {
			return nil
		}
		return []Finding{{
			Rule: ProfileQuotaInvalid, Certainty: Possible, Type: metav1.CauseTypeFieldValueInvalid, Field: path.Child("scopes").String(),
			Fix:     "set spec.resourceQuotaSpec.hard, or remove the scopes",
			Problem: "The quota has scopes and no limits",
			Outcome: "The Profile controller makes no quota from it, and deletes the existing one",
		}}
	}
	var out []Finding
	for _, p := range quota.ValidateSpec(spec, path, minor) {
		if last := len(out) - 1; last >= 0 && len(p.Supported) > 0 && out[last].Field == p.Path.String() {
			continue // an invalid name has more than one reason
		}
		out = append(out, Finding{
			Rule: ProfileQuotaInvalid, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: p.Path.String(),
			Fix:     quotaFix(p),
			Problem: quotaProblem(p),
			Outcome: fmt.Sprintf(quotaNotCreated, ProfileQuota, p.Message),
		})
	}
	return out
}

// quotaProblem words a problem of a quota.
func quotaProblem(p quota.SpecError) string {
	switch {
	case len(p.Supported) > 0:
		return fmt.Sprintf("'%s' is not valid in %s", shorten(p.Name, maxObjectName), shorten(p.Path.String(), maxObjectName))
	case p.Message == "unsupported scope applied to resource":
		return fmt.Sprintf("%s can't be combined with a limit on %s", p.Path, p.Name)
	case p.Message == "conflicting scopes":
		return fmt.Sprintf("No pod matches both %s and Not%s in %s", p.Name, p.Name, p.Path)
	}
	return "Its value is not valid"
}

// knownNamesBytes bounds the list of valid names in a message. It has room for all scopes.
const knownNamesBytes = 130

// quotaFix words the fix for a problem of a quota. For an unknown name, it suggests the one that was probably meant.
func quotaFix(p quota.SpecError) string {
	switch {
	case len(p.Supported) > 0:
		if meant := quota.Suggest(p.Name, p.Supported); meant != "" {
			return "use " + meant
		}
		if strings.Contains(p.Name, "/") {
			return "use a name such as requests.nvidia.com/gpu"
		}
		return "use one of " + shortList(p.Supported, knownNamesBytes)
	case p.Message == "unsupported scope applied to resource":
		return fmt.Sprintf("remove the scope or the limit on %s", p.Name)
	case p.Message == "conflicting scopes":
		return "remove one of the scopes"
	}
	return "correct " + shorten(p.Path.String(), maxObjectName)
}

// hasVolumeAttributesClassScope reports whether a quota has the only scope that some versions of Kubernetes don't know.
func hasVolumeAttributesClassScope(profile *Profile) bool {
	if profile == nil {
		return false
	}
	spec := profile.Spec.ResourceQuotaSpec
	scopes := quota.ScopeNames(quota.Quota{Scopes: spec.Scopes, ScopeSelector: spec.ScopeSelector})
	return slices.Contains(scopes, corev1.ResourceQuotaScopeVolumeAttributesClass)
}

// changedScopes reports a change of scopes, which are immutable. The existing ResourceQuota counts, not the old Profile: a change that
// could not be applied may be reverted.
func changedScopes(change ProfileChange, facts Facts) []Finding {
	before, now := &change.Old.Spec.ResourceQuotaSpec, &change.New.Spec.ResourceQuotaSpec
	if len(before.Hard) == 0 || len(now.Hard) == 0 || !quota.ChangesScopes(before, now) {
		return nil // without limits there is no quota; with limits again, there is a new one
	}
	const path = "spec.resourceQuotaSpec.scopes"
	existing, err := existingProfileQuota(change.New, facts)
	switch {
	case err != nil:
		f := unchecked(ProfileQuotaInvalid, path, "whether the scopes of the quota change was not checked: %v", err)
		f.Type = metav1.CauseTypeFieldValueInvalid
		return []Finding{f}
	case existing == nil || !quota.ChangesScopes(existing, now):
		return nil
	}
	return []Finding{{
		Rule: ProfileQuotaInvalid, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: path,
		Fix:     "first remove spec.resourceQuotaSpec.hard, so that the quota is deleted, and then set the new quota",
		Problem: "The scopes of a quota can't be changed",
		Outcome: fmt.Sprintf(quotaNotCreated, ProfileQuota, "field is immutable"),
	}}
}

// existingProfileQuota returns the ResourceQuota that the Profile controller has created; nil if there is none.
func existingProfileQuota(profile *Profile, facts Facts) (*corev1.ResourceQuotaSpec, error) {
	quotas, err := facts.ResourceQuotas(profile.OwnNamespace())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(quotas, func(q corev1.ResourceQuota) bool { return q.Name == ProfileQuota && q.DeletionTimestamp == nil })
	if i < 0 {
		return nil, nil
	}
	return &quotas[i].Spec, nil
}

// invalidNamespaceName reports a Profile's name that no namespace can have.
func invalidNamespaceName(profile *Profile) []Finding {
	reasons := validation.IsDNS1123Label(profile.Name)
	if profile.Name == "" || len(reasons) == 0 {
		return nil
	}
	return []Finding{{
		Rule: ProfileQuotaInvalid, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: "metadata",
		Fix:     "choose a name of at most 63 lower case letters, digits and dashes, without dots",
		Problem: fmt.Sprintf("No namespace can be called '%s', as the Profile's would be", shorten(profile.Name, maxObjectName)),
		Outcome: fmt.Sprintf("The Profile controller retries to create it without end: '%s'", withoutRegex(reasons[0])),
	}}
}
