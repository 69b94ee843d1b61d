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

// A quota on cpu or memory makes the API server refuse every pod with a container that does not set that resource. Argo adds containers
// to each pipeline pod that set none. So such a quota stops all pipelines of the namespace, whatever their authors set, unless a
// LimitRange or the controller's configuration supplies the values.
//
// Looks at: spec.resourceQuotaSpec (hard, scopes, scopeSelector), against the plainest runs of Argo and of KFP v2.
// Allows: names that ask nothing of containers (GPUs, storage, object counts, ephemeral-storage); scopes that the pods of such runs do
// not have; values that a LimitRange of the Profile's namespace or the controller supplies; on update, what the Profile asked for
// before. Warns where only one kind of run fails, and about quotas under which nothing is counted or that no driver of KFP fits into.
var profileQuotaCompute = Rule[ProfileChange]{
	ID:          ProfileQuotaCompute,
	Summary:     "A Profile's quota asks for cpu or memory that the containers of pipeline pods don't set.",
	DefaultMode: Deny,
	Judge:       judgeProfileQuota,
}

func judgeProfileQuota(change ProfileChange, facts Facts) []Finding {
	r := profileQuota{profile: change.New, facts: facts}
	out := neverCountedNames(change)
	now, err := r.evaluate(change.New)
	if err != nil {
		return append(out, r.unchecked(err))
	}
	if change.Old != nil && len(now.missing) > 0 {
		before, err := r.evaluateBefore(change)
		if err != nil {
			return append(out, r.unchecked(err))
		}
		now.missing = newlyMissing(now, before)
	}
	if len(now.missing) > 0 {
		out = append(out, r.finding(now))
	}
	return append(out, tooSmallForDriver(change, now)...)
}

const profileHard = "spec.resourceQuotaSpec.hard"

type profileQuota struct {
	profile *Profile
	facts   Facts
}

// evaluation is the effect of a quota on the plainest runs.
type evaluation struct {
	// missing are the values that their pods lack. runs are the kinds of run that have such pods.
	missing []quota.Missing
	runs    []string
	// certainty is Certain only if all kinds of run fail for sure.
	certainty Certainty
	// excesses are the resources of which a single driver of KFP needs more than the quota allows.
	excesses []quota.Excess
}

// evaluateBefore evaluates the quota before a change. An invalid quota never became a ResourceQuota; if the change corrects it, the
// existing ResourceQuota counts.
func (r profileQuota) evaluateBefore(change ProfileChange) (evaluation, error) {
	spec := &change.Old.Spec.ResourceQuotaSpec
	if len(quota.ValidateSpec(spec, nil, 0)) > 0 && len(quota.ValidateSpec(&change.New.Spec.ResourceQuotaSpec, nil, 0)) == 0 {
		existing, err := existingProfileQuota(change.New, r.facts)
		if err != nil || existing == nil {
			return evaluation{}, err
		}
		spec = existing
	}
	old := *change.New
	old.Spec.ResourceQuotaSpec = *spec
	return r.evaluate(&old)
}

// evaluate evaluates the pods of the plainest runs under a Profile's quota.
func (r profileQuota) evaluate(profile *Profile) (evaluation, error) {
	spec := profile.Spec.ResourceQuotaSpec
	q := quota.Quota{Name: ProfileQuota, Hard: spec.Hard, Scopes: spec.Scopes, ScopeSelector: spec.ScopeSelector}
	scopes := quota.ScopeNames(q)
	if !quota.ConstrainsContainers(q.Hard) || slices.Contains(scopes, corev1.ResourceQuotaScopeBestEffort) {
		return evaluation{}, nil // a BestEffort quota can count pods only
	}
	config, err := r.facts.ControllerConfig("")
	if err != nil {
		return evaluation{}, err
	}
	runs, err := forecast.Baselines(config)
	if err != nil {
		return evaluation{}, err
	}
	var limits namespaceLimits
	limits.desired.Quotas = []quota.Quota{q}
	if limits.desired.LimitRanges, err = r.facts.LimitRanges(profile.OwnNamespace()); err != nil {
		return evaluation{}, err
	}
	if slices.Contains(scopes, corev1.ResourceQuotaScopePriorityClass) {
		limits.desired.DefaultPriorityClass, err = defaultPriorityClass(r.facts)
		limits.defaultClassUnknown = err != nil // it decides whether the quota applies to the pods
	}
	e := evaluation{certainty: Certain}
	for _, run := range runs {
		limits.readVersion(run.Pods, r.facts)
		if e.addRun(run, limits) {
			e.runs = append(e.runs, run.Kind)
		}
	}
	if len(e.runs) < len(runs) {
		e.certainty = Possible
	}
	return e, nil
}

// addRun evaluates the pods of one run, and reports whether the quota refuses any of them.
func (e *evaluation) addRun(run forecast.BaselineRun, limits namespaceLimits) (fails bool) {
	for i := range run.Pods {
		pod := &run.Pods[i]
		if pod.Unknown != "" {
			e.certainty = Possible
		}
		if i == 0 && run.Kind == forecast.KFPv2 {
			e.excesses = limits.desired.Excesses(&pod.Spec)
		}
		for _, violation := range limits.desired.Evaluate(withPlaceholders(pod)).Violations {
			if violation.Stage != quota.ResourceQuota {
				continue
			}
			e.missing, fails = mergeMissing(e.missing, violation.Missing), true
			if !limits.certain(violation, pod) {
				e.certainty = Possible
			}
		}
	}
	return fails
}

// newlyMissing returns the values that were not missing before: all of them, if a kind of run fails that did not fail before. cpu and
// requests.cpu require the same value of containers.
func newlyMissing(now, before evaluation) []quota.Missing {
	if slices.ContainsFunc(now.runs, func(kind string) bool { return !slices.Contains(before.runs, kind) }) {
		return now.missing
	}
	asksFor := func(m quota.Missing) string { return strings.TrimPrefix(string(m.Resource), "requests.") }
	return slices.DeleteFunc(now.missing, func(m quota.Missing) bool {
		return slices.ContainsFunc(before.missing, func(b quota.Missing) bool { return asksFor(b) == asksFor(m) })
	})
}

func (r profileQuota) finding(e evaluation) Finding {
	names, defaultsField := resourceNames(e.missing)
	compute := inWords(computeNames(e.missing))
	if len(names) == len(computeNames(e.missing)) && inWords(names) == compute {
		compute = map[int]string{1: "it", 2: "both"}[len(names)]
	}
	pods := "pipeline pods"
	if e.certainty != Certain && len(e.runs) == 1 {
		pods = "pods of " + e.runs[0]
	}
	containers := containersOf(e.missing)
	return Finding{
		Rule:      ProfileQuotaCompute,
		Certainty: e.certainty,
		Type:      metav1.CauseTypeFieldValueInvalid,
		Field:     fmt.Sprintf("%s[%s]", profileHard, names[0]),
		Fix: fmt.Sprintf("remove %s from this quota, or first add a LimitRange with %s for %s to namespace '%s'",
			inWords(names), defaultsField, compute, r.profile.OwnNamespace()),
		Problem: fmt.Sprintf("%s %s of %s %s no such value", capitalize(verb(len(containers), "container", "containers")),
			inWords(containers), pods, verb(len(containers), "sets", "set")),
		Outcome: fmt.Sprintf("The API server refuses such pods: 'failed quota: %s: %s'", ProfileQuota, quota.MustSpecifyMessage(e.missing)),
	}
}

func (r profileQuota) unchecked(err error) Finding {
	f := unchecked(ProfileQuotaCompute, profileHard, "the quota was not checked against pipeline pods: %v", err)
	f.Type = metav1.CauseTypeFieldValueInvalid
	return f
}
