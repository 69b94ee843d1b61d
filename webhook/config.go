package webhook

import (
	"time"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Config is what an admin may decide about the judgement.
type Config struct {
	// Modes says by rule ID what a certain finding leads to. A rule that is not named denies, or warns if
	// that is what it does by itself.
	Modes map[string]Mode
	// CacheMayHit makes a warning of what is denied about a step of KFP v2 that runs unless KFP's cache has its result.
	CacheMayHit bool
	// LookupTimeout ends all lookups of one review. The API server's own timeout, which a request carries, ends them
	// earlier if it is shorter.
	LookupTimeout time.Duration
	// Remember is how long what was there when we looked counts as there. Nobody is ever denied from memory.
	Remember time.Duration
	// ArgoNamespace and ArgoConfigMap say where the workflow-controller's configuration lies.
	ArgoNamespace, ArgoConfigMap string
}

// DefaultConfig fits a stock Kubeflow.
func DefaultConfig() Config {
	return Config{
		LookupTimeout: 3 * time.Second,
		Remember:      5 * time.Second,
		ArgoNamespace: "kubeflow",
		ArgoConfigMap: "workflow-controller-configmap",
	}
}

func (c Config) mode(rule string) Mode {
	if m, ok := c.Modes[rule]; ok {
		return m
	}
	if validators.Warns(rule) {
		return Warn
	}
	return Deny
}

// on reports whether a rule is to be asked at all.
func (c Config) on(rule string) bool { return c.mode(rule) != Off }

// Mode is what the certain findings of a rule lead to.
type Mode string

// The modes. Findings that are not certain warn at the most.
const (
	Deny  Mode = "deny"  // the object is rejected
	Warn  Mode = "warn"  // the object is let in with a warning to the client
	Audit Mode = "audit" // the object is let in with an audit annotation
	Off   Mode = "off"   // the rule is not asked
)

// effect is what one finding leads to under the rule's mode.
func (c Config) effect(f validators.Finding) Mode {
	mode := c.mode(f.Rule)
	if mode == Deny && f.Certainty != validators.Certain {
		return Warn
	}
	return mode
}
