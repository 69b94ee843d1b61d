package webhook

import (
	"context"
	"maps"
	"slices"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// controllerCheck returns a runnable that logs, once at startup, which workflow-controllers' configurations can't be read. Without its
// controller's configuration, nothing about a Workflow is certain, and it is never denied.
func controllerCheck(lookups *lookup.Client, argo lookup.ArgoConfig, log logr.Logger) manager.RunnableFunc {
	return func(ctx context.Context) error {
		facts := lookups.NewSession(ctx).Facts()
		for _, id := range append([]string{""}, slices.Sorted(maps.Keys(argo.Instances))...) {
			if _, err := facts.ControllerConfig(id); err != nil && ctx.Err() == nil {
				log.Error(err, "Workflows get warnings only, until the workflow-controller's configuration can be read", "instanceID", id)
			}
		}
		return nil
	}
}
