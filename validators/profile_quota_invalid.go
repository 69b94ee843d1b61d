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

// The API server takes a Profile with any resourceQuotaSpec, and refuses the ResourceQuota that the Profile controller makes of
// it. The controller then tries again for ever and says nothing: the Profile's quota, plugins and deletion all wait.
//
// Looks at: spec.resourceQuotaSpec, the ResourceQuota that there is, the version of Kubernetes if the quota has the scope
// VolumeAttributesClass, and the Profile's name, which becomes a namespace's.
// Passes: on update, what was wrong before.
var profileQuotaInvalid = Rule[ProfileChange]{
	ID:      ProfileQuotaInvalid,
	Summary: "A Profile's quota, or the namespace that the Profile is to have, is one that the API server refuses.",
	Judge: func(change ProfileChange, facts Facts) []Finding {
		minor := 0
		if hasScopeOfClaims(change.New) || hasScopeOfClaims(change.Old) {
			minor = minorVersion(facts)
		}
		var out []Finding
		for _, f := range invalidQuota(change.New, minor) {
			if change.Old == nil || !slices.ContainsFunc(invalidQuota(change.Old, minor), func(o Finding) bool { return withoutPlaces(o) == withoutPlaces(f) }) {
				out = append(out, f)
			}
		}
		if change.Old != nil {
			return append(out, changedScopes(change, facts)...)
		}
		return append(out, unfitName(change.New)...)
	},
}

// withoutPlaces is what is wrong wherever in a list it stands: what is wrong with a scope does not become new when another one
// before it is corrected.
func withoutPlaces(f Finding) string { return place.ReplaceAllString(f.Problem+f.Fix, "[]") }

var place = regexp.MustCompile(`\[\d+\]`)

const quotaOutcome = "the Profile controller could not make the ResourceQuota '%s' and would try for ever, without a word in the Profile's status (%s)"

// invalidQuota lists what an API server of a minor version would refuse. Without any limit the controller makes no quota at
// all.
func invalidQuota(profile *Profile, minor int) []Finding {
	spec, path := &profile.Spec.ResourceQuotaSpec, field.NewPath("spec", "resourceQuotaSpec")
	if len(spec.Hard) == 0 {
		if len(spec.Scopes) == 0 && spec.ScopeSelector == nil {
			return nil
		}
		return []Finding{{
			Rule: ProfileQuotaInvalid, Certainty: Possible, Type: metav1.CauseTypeFieldValueInvalid, Field: path.Child("scopes").String(),
			Problem: "the quota has scopes and limits nothing",
			Outcome: "the Profile controller would make no quota at all of it, and delete the one that there is",
			Fix:     "to fix, set spec.resourceQuotaSpec.hard, or drop the scopes",
		}}
	}
	var out []Finding
	for _, p := range quota.ValidateSpec(spec, path, minor) {
		if last := len(out) - 1; last >= 0 && out[last].Problem == wrong(p) {
			continue // a name that can't be has more than one reason
		}
		out = append(out, Finding{
			Rule: ProfileQuotaInvalid, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: p.Path.String(),
			Problem: wrong(p),
			Outcome: fmt.Sprintf(quotaOutcome, ProfileQuota, p.Message),
			Fix:     "to fix, " + correction(p),
		})
	}
	return out
}

// wrong says what is wrong with a quota, for a reader who knows the field.
func wrong(p quota.SpecProblem) string {
	switch {
	case len(p.Known) > 0:
		return fmt.Sprintf("%s can't be '%s'", p.Path, p.Name)
	case p.Message == "unsupported scope applied to resource":
		return fmt.Sprintf("%s does not go together with a limit on %s", p.Path, p.Name)
	case p.Message == "conflicting scopes":
		return fmt.Sprintf("%s has both %s and Not%s, which no pod is", p.Path, p.Name, p.Name)
	}
	return fmt.Sprintf("%s %s", p.Path, p.Message)
}

// correction says what to do about a problem, with the name that was meant if that can be guessed.
func correction(p quota.SpecProblem) string {
	switch {
	case len(p.Known) > 0:
		if meant := quota.Suggest(p.Name, p.Known); meant != "" {
			return "use " + meant
		}
		if strings.Contains(p.Name, "/") {
			return "use a name such as requests.nvidia.com/gpu"
		}
		return "use one of " + strings.Join(p.Known, ", ")
	case p.Message == "unsupported scope applied to resource":
		return fmt.Sprintf("drop the scope or the limit on %s", p.Name)
	case p.Message == "conflicting scopes":
		return "drop one of them"
	}
	return "correct the value"
}

// hasScopeOfClaims reports whether a quota has the one scope that not all versions of Kubernetes know.
func hasScopeOfClaims(profile *Profile) bool {
	if profile == nil {
		return false
	}
	spec := profile.Spec.ResourceQuotaSpec
	scopes := quota.ScopeNames(quota.Quota{Scopes: spec.Scopes, ScopeSelector: spec.ScopeSelector})
	return slices.Contains(scopes, corev1.ResourceQuotaScopeVolumeAttributesClass)
}

// changedScopes finds scopes that change, which those of a ResourceQuota can't. What counts is the ResourceQuota that there is:
// after a change that could not be carried over, the way back is open.
func changedScopes(change ProfileChange, facts Facts) []Finding {
	before, now := &change.Old.Spec.ResourceQuotaSpec, &change.New.Spec.ResourceQuotaSpec
	if len(before.Hard) == 0 || len(now.Hard) == 0 || !quota.ChangesScopes(before, now) {
		return nil // without limits there is no quota, and then a new one
	}
	f := Finding{Rule: ProfileQuotaInvalid, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.resourceQuotaSpec.scopes"}
	made, err := madeQuota(change.New, facts)
	switch {
	case err != nil:
		f.Certainty, f.Problem = Unknown, fmt.Sprintf("whether the scopes of the quota change was not checked: %v", err)
		return []Finding{f}
	case made == nil || !quota.ChangesScopes(made, now):
		return nil
	}
	f.Problem = "the scopes of a quota can't be changed"
	f.Outcome = fmt.Sprintf(quotaOutcome, ProfileQuota, "field is immutable")
	f.Fix = "to fix, first remove spec.resourceQuotaSpec.hard, so that the quota is deleted, and then set the quota anew"
	return []Finding{f}
}

// madeQuota is the quota that the Profile controller has made of a Profile, now or before; nil if there is none.
func madeQuota(profile *Profile, facts Facts) (*corev1.ResourceQuotaSpec, error) {
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

// unfitName finds a name that no namespace can have.
func unfitName(profile *Profile) []Finding {
	wrong := validation.IsDNS1123Label(profile.Name)
	if profile.Name == "" || len(wrong) == 0 {
		return nil
	}
	return []Finding{{
		Rule: ProfileQuotaInvalid, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: "metadata",
		Problem: fmt.Sprintf("no namespace can be called '%s', as the Profile's would be", profile.Name),
		Outcome: fmt.Sprintf("the Profile controller would try for ever to make it (%s)", reasonWithoutRegex(wrong[0])),
		Fix:     "to fix, choose a name of at most 63 lower case letters, digits and dashes, without dots",
	}}
}
