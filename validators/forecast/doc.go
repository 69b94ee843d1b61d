// Package forecast predicts the pods that Argo's workflow-controller would create for a Workflow,
// before the Workflow exists. It follows the controller's own path. Rules judge the predicted pods;
// no rule walks a Workflow on its own.
//
// The entry point is [Workflow] in forecast.go. It takes a Workflow, decoded with [Decode] so that
// fields of newer Argo versions are not lost (argo_v4_fields.go), and [Facts] about the cluster
// (facts.go). It returns a [Forecast] and never an error: whatever can't be predicted becomes a
// [Gap] (gaps.go), and whatever would cost too much is cut off (limits.go).
//
// The first step is the effective Workflow: the Workflow merged with its WorkflowTemplate and with
// the workflowDefaults from the controller's configuration (effective_workflow.go, merge.go,
// controller_config.go).
//
// The second step is the walk, from the entrypoint, the exit handler, and the hooks to the
// templates that become pods (walker.go, position.go, lifecycle_hooks.go). It follows steps and DAG
// tasks (steps.go, dag.go, template_call.go) through conditions (when_expression.go), loops
// (loops.go), dependencies between tasks (dag_reachability.go), and errors that do not end the run
// (dag_failures.go). Names of templates are looked up in a scope (template_scope.go), which a
// templateRef changes (template_refs.go). Conditions that can't be evaluated are reported along the
// way (invalid_conditions.go).
//
// Before a template is visited, its inputs are resolved (template_inputs.go): parameters
// (parameters.go), artifacts (artifact_arguments.go), and the outputs that KFP v2 drivers will
// write (kfp_drivers.go). Their values then replace the template tags (template_tags.go). Values
// that exist only at run time stay tags; see [HasTag].
//
// The third step assembles a PodSpec for each template that becomes a pod, in the controller's
// order (pod_spec.go): containers (containers.go), deadline (pod_deadline.go), volumes and mounts
// (volumes.go), artifact credentials (artifact_repository.go, artifact_credentials.go), and
// ServiceAccount tokens (service_account_tokens.go). HTTP and plugin templates share one pod
// (agent_pod.go), and artifacts are deleted by pods of their own (artifact_gc.go).
//
// Each [Pod] carries its [Origin] (pod.go): the template, the steps that run it, and how certain it
// is that they run. Its methods lead from a part of the pod back to the line of the Workflow that
// the author can change (field_paths.go).
//
// A Workflow may itself create what its pods need, with resource templates (created_objects.go) or
// with programs (programs.go); see [Forecast.Provides]. [Baselines] predicts the plainest pods that
// any pipeline has (baseline.go).
//
// The tests in the conformance directory compare forecasts with the pods that a real controller
// creates.
//
// Sources: argoproj/argo-workflows v3.7.3, workflow/controller (operator.go, steps.go, dag.go, workflowpod.go).
package forecast
