package validators

import (
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
	// DefaultMode is the rule's mode where the configuration sets none: Deny or Warn.
	DefaultMode Mode
	// Judge returns the findings about the subject.
	Judge func(subject S, facts Facts) []Finding
}

// ProfileChange is a Profile that is created or updated.
type ProfileChange struct {
	New *Profile
	// Old is nil on creation.
	Old *Profile
}

// WorkflowForecast is a Workflow that is created, and what it would lead to.
type WorkflowForecast struct {
	Workflow *wfv1.Workflow
	Forecast forecast.Forecast
	// Charset is what KFP's database can store.
	Charset charset.Charset

	// dependencies returns the dependencies of all pods. It computes them once, when the first rule asks.
	dependencies func() []workflowDependency
}

// Options configure how Workflows are judged. The zero value suits a stock installation.
type Options struct {
	forecast.Options `json:",inline"`
	// Charset is what KFP's database can store, over KFP's connection to it.
	Charset charset.Charset `json:"databaseCharset"`
}
