// Package validators holds the rules: what is certain to fail about a Profile or a Workflow, and how to tell the user.
//
// The package is pure. [JudgeProfile] and [JudgeWorkflow] take an object and the [Facts] about its cluster, and return [Finding]s. They
// know nothing of HTTP, clients, clocks or logs. Package webhook calls them at admission, the command line for files and clusters.
//
// Each rule has a file of its own, named after its ID. registry.go lists the rules, rule.go defines what a rule is. pod_dependencies.go
// finds the objects that a pod depends on, dependencies.go judges for two rules whether they exist; namespace_limits.go is about the
// quotas and LimitRanges of a namespace. mode.go and skip.go decide what becomes of a finding. State and Overlay are Facts from
// manifests.
//
// To add a rule, see CONTRIBUTING.md.
package validators
