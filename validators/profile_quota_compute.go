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
// Looks at: spec.resourceQuotaSpec (hard, scopes, scopeSelector), against the plainest runs of Argo and of KFP v2.
// Passes: names that ask nothing of containers (GPUs, storage, object counts, ephemeral-storage); scopes that the pods of such
// runs do not have; values that a LimitRange of the Profile's namespace or the controller supplies; on update, what the
// Profile asked for before. A warning where only one kind of run would fail, and for a quota that is merely odd: one that
// counts nothing, or that no driver of KFP fits into.
var profileQuotaCompute = Rule[ProfileChange]{
	ID:      ProfileQuotaCompute,
	Summary: "A Profile's quota asks for cpu or memory that the containers of pipeline pods don't set.",
	Judge:   judgeProfileQuota,
}

func judgeProfileQuota(change ProfileChange, facts Facts) []Finding {
	r := profileQuota{profile: change.New, update: change.Old != nil, facts: facts}
	out := neverCountedNames(change)
	held, err := r.held(change.New)
	if err != nil {
		return append(out, r.unchecked(err))
	}
	if change.Old != nil && len(held.missing) > 0 {
		before, err := r.heldBefore(change)
		if err != nil {
			return append(out, r.unchecked(err))
		}
		held.missing = newlyMissing(held, before)
	}
	if len(held.missing) > 0 {
		out = append(out, r.finding(held))
	}
	return append(out, tooSmallForDriver(change, held)...)
}

const profileHard = "spec.resourceQuotaSpec.hard"

type profileQuota struct {
	profile *Profile
	update  bool
	facts   Facts
}

// evaluation is what a quota holds against the plainest runs.
type evaluation struct {
	// missing is what their pods lack, and runs are the kinds of run that have such pods; not all of them may.
	missing []quota.Missing
	runs    []string
	// certainty that a run of these kinds fails; certain only if all kinds do.
	certainty Certainty
	// excesses are what the quota does not even allow to one driver of KFP.
	excesses []quota.Excess
}

// heldBefore is what was held against the plainest runs before a change. Of a quota that the API server refuses nothing ever came:
// once it is corrected, what counts is what there is from before it.
func (r profileQuota) heldBefore(change ProfileChange) (evaluation, error) {
	spec := &change.Old.Spec.ResourceQuotaSpec
	if len(quota.ValidateSpec(spec, nil, 0)) > 0 && len(quota.ValidateSpec(&change.New.Spec.ResourceQuotaSpec, nil, 0)) == 0 {
		made, err := madeQuota(change.New, r.facts)
		if err != nil || made == nil {
			return evaluation{}, err
		}
		spec = made
	}
	old := *change.New
	old.Spec.ResourceQuotaSpec = *spec
	return r.held(&old)
}

// held holds the quota of a profile against the plainest runs.
func (r profileQuota) held(profile *Profile) (evaluation, error) {
	spec := profile.Spec.ResourceQuotaSpec
	q := quota.Quota{Name: ProfileQuota, Hard: spec.Hard, Scopes: spec.Scopes, ScopeSelector: spec.ScopeSelector}
	scopes := quota.ScopeNames(q)
	if !quota.ConstrainsContainers(q.Hard) || slices.Contains(scopes, corev1.ResourceQuotaScopeBestEffort) {
		return evaluation{}, nil // the API server stores no BestEffort quota on anything but pods
	}
	controller, err := r.facts.ControllerConfig("")
	if err != nil {
		return evaluation{}, err
	}
	runs, err := forecast.Baselines(controller)
	if err != nil {
		return evaluation{}, err
	}
	var limits namespaceLimits
	namespace := &limits.desired
	namespace.Quotas = []quota.Quota{q}
	if namespace.LimitRanges, err = r.facts.LimitRanges(profile.OwnNamespace()); err != nil {
		return evaluation{}, err
	}
	h := evaluation{certainty: Certain}
	if slices.Contains(scopes, corev1.ResourceQuotaScopePriorityClass) {
		namespace.DefaultPriorityClass, err = defaultPriorityClass(r.facts)
		limits.defaultClassUnknown = err != nil // it may take the pods out of the quota's reach, or into it
	}
	for _, run := range runs {
		limits.readVersion(run.Pods, r.facts)
		fails := false
		for i := range run.Pods {
			pod := &run.Pods[i]
			if pod.Unknown != "" {
				h.certainty = Possible
			}
			spec := withUndecided(pod)
			if i == 0 && run.Kind == forecast.KFPv2 {
				h.excesses = namespace.Excesses(&pod.Spec)
			}
			for _, refusal := range namespace.Decide(spec).Violations {
				if refusal.Gate != quota.ResourceQuota {
					continue
				}
				h.missing, fails = together(h.missing, refusal.Missing), true
				if !limits.certain(refusal, pod) {
					h.certainty = Possible
				}
			}
		}
		if fails {
			h.runs = append(h.runs, run.Kind)
		}
	}
	if len(h.runs) < len(runs) {
		h.certainty = Possible
	}
	return h, nil
}

// together joins what pods lack.
func together(a, b []quota.Missing) []quota.Missing {
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

// newlyMissing is what was not missing before: everything, if a kind of run that did not fail before does. cpu and requests.cpu
// ask containers for the same thing.
func newlyMissing(now, before evaluation) []quota.Missing {
	if slices.ContainsFunc(now.runs, func(kind string) bool { return !slices.Contains(before.runs, kind) }) {
		return now.missing
	}
	asks := func(m quota.Missing) string { return strings.TrimPrefix(string(m.Resource), "requests.") }
	return slices.DeleteFunc(now.missing, func(m quota.Missing) bool {
		return slices.ContainsFunc(before.missing, func(b quota.Missing) bool { return asks(b) == asks(m) })
	})
}

func (r profileQuota) finding(h evaluation) Finding {
	names, defaults := countedNames(h.missing)
	var containers []string
	for _, m := range h.missing {
		containers = append(containers, m.Containers...)
	}
	slices.Sort(containers)
	containers = slices.Compact(containers)
	namespace := r.profile.OwnNamespace()
	fix := fmt.Sprintf("to fix, drop %s from the quota, or first add a LimitRange with type Container and %s for %s in namespace '%s'",
		inWords(names), defaults, inWords(computeNames(h.missing)), namespace)
	if !r.update {
		fix += " (create the Profile without the quota, then the LimitRange, then set the quota)"
	}
	pods := "pipeline pods"
	if h.certainty != Certain && len(h.runs) == 1 {
		pods = "pods of " + h.runs[0]
	}
	return Finding{
		Rule:      ProfileQuotaCompute,
		Certainty: h.certainty,
		Type:      metav1.CauseTypeFieldValueInvalid,
		Field:     fmt.Sprintf("%s[%s]", profileHard, names[0]),
		Problem: fmt.Sprintf("the quota sets %s, but %s have containers that don't: %s (%s)",
			inWords(names), pods, inWords(containers), whoseContainers(containers)),
		Outcome: fmt.Sprintf("each such pod in namespace '%s' would be refused with 'failed quota: %s: %s'", namespace, ProfileQuota, quota.MustSpecify(h.missing)),
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
	argo := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n != forecast.InitContainer && n != forecast.WaitContainer })
	if len(argo) > 0 {
		parts = append(parts, "Argo adds "+inWords(argo)+" to every pod")
	}
	if slices.Contains(names, forecast.MainContainer) {
		parts = append(parts, "main is any step whose author sets no resources")
	}
	return strings.Join(parts, ", ")
}
