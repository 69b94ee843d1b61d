package validators

import (
	"slices"
	"strings"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// ProfileRules returns the rules about Profiles.
func ProfileRules() []Rule[ProfileChange] {
	return []Rule[ProfileChange]{profileQuotaInvalid, profileQuotaCompute}
}

// WorkflowRules returns the rules about Workflows.
func WorkflowRules() []Rule[WorkflowForecast] {
	return []Rule[WorkflowForecast]{
		workflowSecretMissing, workflowQuotaCompute, workflowWhenUnparsable, workflowReferenceMissing, workflowTextCharset,
	}
}

// ruleInfo describes a rule about any subject.
type ruleInfo struct {
	id, summary string
	defaultMode Mode
}

// ruleInfos describes all rules, sorted by ID.
var ruleInfos = sync.OnceValue(func() []ruleInfo {
	var infos []ruleInfo
	for _, r := range ProfileRules() {
		infos = append(infos, ruleInfo{r.ID, r.Summary, r.DefaultMode})
	}
	for _, r := range WorkflowRules() {
		infos = append(infos, ruleInfo{r.ID, r.Summary, r.DefaultMode})
	}
	slices.SortFunc(infos, func(a, b ruleInfo) int { return strings.Compare(a.id, b.id) })
	return infos
})

// RuleIDs returns the IDs of all rules, sorted.
func RuleIDs() []string {
	var ids []string
	for _, r := range ruleInfos() {
		ids = append(ids, r.id)
	}
	return ids
}

// Summaries returns the summaries of all rules, by ID.
func Summaries() map[string]string {
	out := map[string]string{}
	for _, r := range ruleInfos() {
		out[r.id] = r.summary
	}
	return out
}

// DefaultMode returns the mode of a rule where the configuration sets none. For an unknown ID it is Deny.
func DefaultMode(rule string) Mode {
	for _, r := range ruleInfos() {
		if r.id == rule {
			return r.defaultMode
		}
	}
	return Deny
}

// JudgeProfile applies the enabled rules to a Profile. enabled reports whether the rule with an ID is enabled.
func JudgeProfile(change ProfileChange, facts Facts, enabled func(rule string) bool) []Finding {
	return judge(ProfileRules(), change, facts, enabled)
}

// JudgeWorkflow forecasts a Workflow and applies the enabled rules to it. enabled reports whether the rule with an ID is enabled.
func JudgeWorkflow(wf *wfv1.Workflow, facts Facts, options Options, enabled func(rule string) bool) []Finding {
	if !slices.ContainsFunc(WorkflowRules(), func(r Rule[WorkflowForecast]) bool { return enabled(r.ID) }) {
		return nil // the forecast is the expensive part
	}
	subject := WorkflowForecast{Workflow: wf, Forecast: forecast.Workflow(wf, facts, options.Options), Charset: options.Charset}
	subject.dependencies = sync.OnceValue(func() []workflowDependency { return workflowDependencies(&subject.Forecast) })
	return judge(WorkflowRules(), subject, facts, enabled)
}

func judge[S any](rules []Rule[S], subject S, facts Facts, enabled func(string) bool) []Finding {
	var out []Finding
	for _, r := range rules {
		if enabled(r.ID) {
			out = append(out, r.Judge(subject, facts.ForRule(r.ID))...)
		}
	}
	return out
}
