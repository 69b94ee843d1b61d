package validators

import (
	"slices"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/validators/charset"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Rule is one rule about a subject: a ProfileChange or a WorkflowForecast.
type Rule[S any] struct {
	// ID names the rule in messages, metrics, configuration, docs and file names. It never changes.
	ID string
	// Summary says in one sentence what the rule rejects.
	Summary string
	// Warns says that the rule warns where nobody has decided otherwise. Other rules deny.
	Warns bool
	// Judge returns what the rule has to say about the subject.
	Judge func(subject S, facts Facts) []Finding
}

// ProfileChange is a Profile that is created or updated.
type ProfileChange struct {
	New *Profile
	// Old is nil on creation.
	Old *Profile
}

// WorkflowForecast is a Workflow that is created, and the pods that it would lead to.
type WorkflowForecast struct {
	Workflow *wfv1.Workflow
	Forecast forecast.Forecast
	// Charset is what KFP's database can store.
	Charset charset.Charset

	// needs are what the pods can't start without; found out when the first rule asks.
	needs func() []need
}

// Options are what may be decided about the judgement of Workflows. The zero value suits most.
type Options struct {
	forecast.Options `json:",inline"`
	// Charset is what KFP's database can store, over the connection that KFP has to it.
	Charset charset.Charset `json:"databaseCharset"`
}

// ProfileRules are the rules about Profiles.
func ProfileRules() []Rule[ProfileChange] {
	return []Rule[ProfileChange]{profileQuotaInvalid, profileQuotaCompute}
}

// WorkflowRules are the rules about Workflows.
func WorkflowRules() []Rule[WorkflowForecast] {
	return []Rule[WorkflowForecast]{workflowSecretMissing, workflowQuotaCompute, workflowWhenUnparsable, workflowReferenceMissing, workflowTextCharset}
}

// RuleIDs are the IDs of all rules, sorted.
func RuleIDs() []string {
	var ids []string
	for _, r := range ProfileRules() {
		ids = append(ids, r.ID)
	}
	for _, r := range WorkflowRules() {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

// Summaries are what each rule rejects, by ID.
func Summaries() map[string]string {
	out := map[string]string{}
	for _, r := range ProfileRules() {
		out[r.ID] = r.Summary
	}
	for _, r := range WorkflowRules() {
		out[r.ID] = r.Summary
	}
	return out
}

// warns reports whether a rule warns where nobody has decided otherwise.
func warns(rule string) bool {
	return slices.ContainsFunc(ProfileRules(), func(r Rule[ProfileChange]) bool { return r.ID == rule && r.Warns }) ||
		slices.ContainsFunc(WorkflowRules(), func(r Rule[WorkflowForecast]) bool { return r.ID == rule && r.Warns })
}

// JudgeProfile asks the rules about a Profile. on says by ID which rules are to be asked.
func JudgeProfile(change ProfileChange, facts Facts, on func(rule string) bool) []Finding {
	return judge(ProfileRules(), change, facts, on)
}

// JudgeWorkflow forecasts a Workflow and asks the rules about it. on says by ID which rules are to be asked.
func JudgeWorkflow(wf *wfv1.Workflow, facts Facts, options Options, on func(rule string) bool) []Finding {
	if !slices.ContainsFunc(WorkflowRules(), func(r Rule[WorkflowForecast]) bool { return on(r.ID) }) {
		return nil // the forecast is the costly part
	}
	asking(facts, "")
	subject := WorkflowForecast{Workflow: wf, Forecast: forecast.Workflow(wf, facts, options.Options), Charset: options.Charset}
	subject.needs = sync.OnceValue(func() []need { return needsOf(&subject.Forecast) })
	return judge(WorkflowRules(), subject, facts, on)
}

func judge[S any](rules []Rule[S], subject S, facts Facts, on func(string) bool) []Finding {
	var out []Finding
	for _, r := range rules {
		if on(r.ID) {
			asking(facts, r.ID)
			out = append(out, r.Judge(subject, facts)...)
		}
	}
	return out
}

// asking tells facts that want to know which rule asks.
func asking(facts Facts, rule string) {
	if attentive, ok := facts.(Attentive); ok {
		attentive.Asking(rule)
	}
}
