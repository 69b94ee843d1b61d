// Package validators holds the rules: what is certain to fail about a Profile or a Workflow, and how to say it.
//
// The package is pure. [JudgeProfile] and [JudgeWorkflow] take an object and the [Facts] about its cluster, and return
// [Finding]s; they know nothing of HTTP, clients, clocks or logs. Package webhook asks them at admission, the command
// line asks them about files.
//
// A new rule is a file in this package, a row in [ProfileRules] or [WorkflowRules], a page in docs/rules/ and cases in
// testdata/.
package validators
