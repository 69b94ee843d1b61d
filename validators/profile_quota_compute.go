package validators

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// ProfileQuotaCompute is the ID of the rule in this file.
const ProfileQuotaCompute = "profile-quota-compute"

// A quota on cpu or memory makes the API server refuse every pod with a container that does not name that resource. Argo
// adds containers to each pipeline pod that name none, so such a quota stops all pipelines of the namespace, whatever
// their authors set, unless a LimitRange or the controller's configuration fills the values in.
//
// Looks at: spec.resourceQuotaSpec (hard, scopes, scopeSelector).
// Passes: names that ask nothing of containers (GPUs, storage, object counts, ephemeral-storage); scopes that a plain
// pipeline pod does not have; values that a LimitRange of the Profile's namespace or the controller supplies; on update,
// what the Profile asked for before.
var profileQuotaCompute = Rule[ProfileChange]{
	ID:      ProfileQuotaCompute,
	Summary: "A Profile's quota asks for cpu or memory that the containers of pipeline pods don't set.",
	Judge:   judgeProfileQuota,
}

func judgeProfileQuota(change ProfileChange, facts Facts) []Finding {
	r := profileQuota{profile: change.New, update: change.Old != nil, facts: facts}
	missing, certainty, err := r.missing(change.New)
	if err != nil {
		return []Finding{r.unchecked(err)}
	}
	if change.Old != nil && len(missing) > 0 {
		before, _, err := r.missing(change.Old)
		if err != nil {
			return []Finding{r.unchecked(err)}
		}
		missing = newlyMissing(missing, before)
	}
	if len(missing) == 0 {
		return nil
	}
	return []Finding{r.finding(missing, certainty)}
}

const profileHard = "spec.resourceQuotaSpec.hard"

type profileQuota struct {
	profile *Profile
	update  bool
	facts   Facts
}

// missing is what the plainest pipeline pod lacks under the quota of a profile. The certainty is less than Certain if the
// quota reaches the pod only under a condition that can't be seen from here.
func (r profileQuota) missing(profile *Profile) ([]quota.Missing, Certainty, error) {
	q := quota.Quota{
		Name:          ProfileQuota,
		Hard:          profile.Spec.ResourceQuotaSpec.Hard,
		Scopes:        profile.Spec.ResourceQuotaSpec.Scopes,
		ScopeSelector: profile.Spec.ResourceQuotaSpec.ScopeSelector,
	}
	scopes := quota.ScopeNames(q)
	if !quota.Forces(q.Hard) || slices.Contains(scopes, corev1.ResourceQuotaScopeBestEffort) {
		return nil, Certain, nil // the API server stores no BestEffort quota on anything but pods
	}
	controller, err := r.facts.Controller()
	if err != nil {
		return nil, Unknown, err
	}
	pod, err := forecast.Baseline(controller)
	if err != nil {
		return nil, Unknown, err
	}
	limitRanges, err := r.facts.LimitRanges(profile.OwnNamespace())
	if err != nil {
		return nil, Unknown, err
	}
	refusals := quota.Decide(&pod.Spec, []quota.Quota{q}, limitRanges)
	if len(refusals) == 0 {
		return nil, Certain, nil
	}
	certainty := Certain
	if pod.Unknown != "" || slices.Contains(scopes, corev1.ResourceQuotaScopePriorityClass) {
		certainty = Possible // a default PriorityClass of the cluster may take the pod out of the quota's reach
	}
	return refusals[0].Missing, certainty, nil
}

// newlyMissing drops what was missing before. cpu and requests.cpu ask containers for the same thing.
func newlyMissing(now, before []quota.Missing) []quota.Missing {
	asks := func(m quota.Missing) string { return strings.TrimPrefix(string(m.Resource), "requests.") }
	return slices.DeleteFunc(now, func(m quota.Missing) bool {
		return slices.ContainsFunc(before, func(b quota.Missing) bool { return asks(b) == asks(m) })
	})
}

func (r profileQuota) finding(missing []quota.Missing, certainty Certainty) Finding {
	names := make([]string, len(missing))
	var containers []string
	defaults := "defaultRequest"
	for i, m := range missing {
		names[i] = string(m.Resource)
		containers = append(containers, m.Containers...)
		if strings.HasPrefix(string(m.Resource), "limits.") {
			defaults = "default" // which also gives the request
		}
	}
	slices.Sort(containers)
	containers = slices.Compact(containers)
	namespace := r.profile.OwnNamespace()
	refusal := quota.Refusal{Quota: ProfileQuota, Missing: missing}
	fix := fmt.Sprintf("to fix, drop %s from the quota, or first add a LimitRange with type Container and %s for %s in namespace '%s'",
		inWords(names), defaults, inWords(computeNames(missing)), namespace)
	if !r.update {
		fix += " (create the Profile without the quota, then the LimitRange, then set the quota)"
	}
	return Finding{
		Rule:      ProfileQuotaCompute,
		Certainty: certainty,
		Type:      metav1.CauseTypeFieldValueInvalid,
		Field:     fmt.Sprintf("%s[%s]", profileHard, names[0]),
		Problem: fmt.Sprintf("the quota sets %s, but pipeline pods have containers that don't: %s (%s)",
			inWords(names), inWords(containers), whoseContainers(containers)),
		Outcome: fmt.Sprintf("each such pod in namespace '%s' would be refused with 'failed quota: %s: %s'", namespace, ProfileQuota, refusal),
		Fix:     fix,
	}
}

func (r profileQuota) unchecked(err error) Finding {
	return Finding{
		Rule: ProfileQuotaCompute, Certainty: Unknown, Type: metav1.CauseTypeFieldValueInvalid, Field: profileHard,
		Problem: fmt.Sprintf("the quota was not checked against pipeline pods: %v", err),
	}
}

// whoseContainers says who could set the resources of these containers of a baseline pod.
func whoseContainers(names []string) string {
	var parts []string
	argo := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == forecast.MainContainer })
	if len(argo) > 0 {
		parts = append(parts, "Argo adds "+inWords(argo)+" to every pod")
	}
	if slices.Contains(names, forecast.MainContainer) {
		parts = append(parts, "main is any step whose author sets no resources")
	}
	return strings.Join(parts, ", ")
}

// computeNames are the plain resources, cpu and memory, behind names such as limits.cpu.
func computeNames(missing []quota.Missing) []string {
	var out []string
	for _, m := range missing {
		name := string(m.Resource)
		out = append(out, name[strings.LastIndex(name, ".")+1:])
	}
	slices.Sort(out)
	return slices.Compact(out)
}
