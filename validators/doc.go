// Package validators holds the rules. They find what is certain to fail in a Profile or a Workflow, and tell the user how to fix it.
//
// The package is pure. [JudgeProfile] and [JudgeWorkflow] take an object and the [Facts] about its cluster, and return [Finding]s. They
// use no HTTP, clients, clocks or logs. Package webhook calls them at admission, the command line for files and clusters.
//
// Each rule has a file of its own, named after its ID. registry.go lists the rules, rule.go defines what a rule is. pod_dependencies.go
// finds the objects that a pod depends on, and dependencies.go checks for two rules whether they exist. namespace_limits.go reads the
// quotas and LimitRanges of a namespace. mode.go and skip.go decide what a finding leads to. State and Overlay are Facts made from
// manifests.
//
// To add a rule, see CONTRIBUTING.md.
package validators
