package webhook

import (
	"time"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Config is what an admin may decide about the judgement.
type Config struct {
	// Modes says what the findings of each rule lead to.
	Modes validators.Modes
	// Options of the judgement of Workflows.
	Options validators.Options
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
