package forecast

import (
	"regexp"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// toleratesPhase matches a depends expression that may let its task run after another task ended in
// the phase.
var toleratesPhase = map[wfv1.NodePhase]*regexp.Regexp{
	wfv1.NodeError:  regexp.MustCompile(`\|\||!|\.(Errored|Omitted|AnySucceeded)`),
	wfv1.NodeFailed: regexp.MustCompile(`\|\||!|\.(Failed|AllFailed|Omitted|AnySucceeded)`),
}

// toleratedPhases returns the phases that a task may end in although its DAG succeeds.
//
// The phases of the last tasks decide how a DAG ends, and a last task may run in spite of an error
// before it. An omitted task takes over the phase of the task or hook before it, and its own
// continueOn decides whether that matters.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go assessDAGPhase, workflow/common/ancestry.go.
func toleratedPhases(dag *wfv1.DAGTemplate) map[wfv1.NodePhase]bool {
	hasDependents := map[string]bool{}
	for i := range dag.Tasks {
		for _, name := range dependencies(&dag.Tasks[i]) {
			hasDependents[name] = true
		}
	}
	out := map[wfv1.NodePhase]bool{}
	for i := range dag.Tasks {
		task := &dag.Tasks[i]
		hasDependencies := len(dependencies(task)) > 0
		hasHook := len(task.Hooks) > 0 || task.OnExit != ""
		for _, phase := range []wfv1.NodePhase{wfv1.NodeError, wfv1.NodeFailed} {
			if task.Depends != "" && toleratesPhase[phase].MatchString(task.Depends) ||
				hasDependencies && task.ContinuesOn(phase) ||
				hasHook && hasDependents[task.Name] {
				out[phase] = true
			}
		}
	}
	return out
}
