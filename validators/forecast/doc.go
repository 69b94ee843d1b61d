// Package forecast works out which pods Argo's workflow-controller would create for a Workflow, before it exists.
//
// It follows the controller's own path: [Workflow] merges the controller's workflowDefaults, walks from the entrypoint
// and the exit handlers through steps, DAGs, hooks and inline templates, substitutes the parameters that are already
// known, and assembles a PodSpec for every template that becomes a pod, in the order in which the controller does it.
// Each [Pod] carries its [Origin]: the template, the steps that run it, and how certain it is that they run.
//
// Rules judge these pods. None of them walks a Workflow on its own.
//
// Sources: argoproj/argo-workflows v3.7.3, workflow/controller (operator.go, steps.go, dag.go, workflowpod.go).
package forecast
