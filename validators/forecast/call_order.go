package forecast

import (
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// callOrder says which pods of a Workflow may run before or beside which others. It answers whether
// a step that creates an object can still do so while another step waits for that object.
type callOrder struct {
	// occurrences of each pod, by index in Forecast.Pods, and of the waits for a person.
	occurrences map[int][]occurrence
	// incomplete is set if a limit was reached. Then any pod may run before any other.
	incomplete bool
}

// occurrence is one way in which the Workflow gets to a pod.
type occurrence struct {
	calls     []callSite
	certainty Certainty
}

// callSite is one call of a template: which of the calls that a template makes.
type callSite struct {
	block *callBlock
	index int
}

// callBlock is all calls that one steps or DAG template makes, or a call and its exit hook.
type callBlock struct {
	// after reports whether call i starts only after call j has ended.
	after func(i, j int) bool
}

// inSequence is the order of a block whose calls run one after the other.
func inSequence(i, j int) bool { return i > j }

// people stands for the index of a pod where a person acts, who resumes the Workflow.
const people = -2

// maxOccurrences limits the occurrences of one pod.
const maxOccurrences = 500

// mayRunBefore reports whether pod a may run, and end, although pod b does not end. b is a pod that
// waits for something that a may bring about.
func (o *callOrder) mayRunBefore(a, b int) bool {
	if o.incomplete {
		return true
	}
	// One occurrence of b that certainly runs and that no occurrence of a can help is enough.
	return !slices.ContainsFunc(o.occurrences[b], func(waiting occurrence) bool {
		return waiting.certainty == Certain && !slices.ContainsFunc(o.occurrences[a], func(running occurrence) bool {
			return !running.isAfter(waiting)
		})
	})
}

// isAfter reports whether an occurrence starts only after another one has ended. A pod never starts
// before itself.
func (o occurrence) isAfter(other occurrence) bool {
	for i := range min(len(o.calls), len(other.calls)) {
		own, theirs := o.calls[i], other.calls[i]
		if own.block != theirs.block {
			return false // iterations of a loop, which run side by side
		}
		if own.index != theirs.index {
			return own.block.after(own.index, theirs.index)
		}
	}
	return true
}

// dagOrder returns the order of a DAG's tasks, by index: a task starts only after all tasks in its
// dependencies have ended, whatever its depends expression makes of how they ended.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go evaluateDependsLogic.
func dagOrder(dag *wfv1.DAGTemplate) func(i, j int) bool {
	index := map[string]int{}
	for i := range dag.Tasks {
		index[dag.Tasks[i].Name] = i
	}
	before := map[int]map[int]bool{} // all tasks that end before the task starts
	var collect func(i int) map[int]bool
	collect = func(i int) map[int]bool {
		if known, ok := before[i]; ok {
			return known
		}
		all := map[int]bool{}
		before[i] = all // also ends the recursion in a cycle, which Argo rejects
		for _, name := range dependencies(&dag.Tasks[i]) {
			if j, ok := index[name]; ok {
				all[j] = true
				for k := range collect(j) {
					all[k] = true
				}
			}
		}
		return all
	}
	return func(i, j int) bool { return collect(i)[j] }
}

// newBlock returns a block for the calls of a template; nil if the walk does not record the order.
func (w *walker) newBlock(after func(i, j int) bool) *callBlock {
	if w.order == nil {
		return nil
	}
	return &callBlock{after}
}

// inCall returns the position in one call of a block.
func (p position) inCall(block *callBlock, index int) position {
	if block != nil {
		p.calls = append(slices.Clip(p.calls), callSite{block, index})
	}
	return p
}

// recordOccurrence records that pos leads to the pod with index i.
func (w *walker) recordOccurrence(i int, pos position) {
	if w.order == nil {
		return
	}
	if len(w.order.occurrences[i]) == maxOccurrences {
		w.order.incomplete = true
		return
	}
	w.order.occurrences[i] = append(w.order.occurrences[i], occurrence{pos.calls, pos.certainty})
}
