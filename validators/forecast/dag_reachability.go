package forecast

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// loop is what withItems, withParam or withSequence make of a step.
type loop struct {
	// items are what the item tags stand for in each round; nil where there is no loop, or it is not known.
	items      []wfv1.Item
	iterations int
	certainty  Certainty
}

// tagValues are what is known in a round.
func (l loop) tagValues(round int) tagValues {
	if round >= len(l.items) {
		return nil
	}
	return itemValues(&l.items[round])
}

// singleIteration is a step that is no loop, or one of which nothing is known.
func singleIteration(c Certainty) loop { return loop{iterations: 1, certainty: c} }

// expandLoop unrolls a step's loop as far as it is known, to no more rounds than the walk would look at.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go expandStep, processItem.
func expandLoop(b *budget, items []wfv1.Item, param string, sequence *wfv1.Sequence) loop {
	switch {
	case len(items) > 0:
		return loopOver(items)
	case param != "":
		var list []wfv1.Item // each of which is slow to read
		if HasTag(param) || b.spend(8*len(param)) != nil || json.Unmarshal([]byte(param), &list) != nil {
			return singleIteration(Possible)
		}
		if len(list) > maxVisits {
			list = slices.Clone(list[:maxVisits+1]) // the rest need not stay in memory
		}
		return loopOver(list)
	case sequence != nil:
		numbers, ok := sequenceNumbers(sequence)
		if !ok {
			return singleIteration(Possible)
		}
		return loopOver(numbers)
	}
	return singleIteration(Certain)
}

func loopOver(items []wfv1.Item) loop {
	return loop{items: items, iterations: len(items), certainty: Certain}
}

func itemValues(item *wfv1.Item) tagValues {
	known := tagValues{"item": item.String()}
	if item.GetType() == wfv1.Map {
		for key, v := range item.GetMapVal() {
			known["item."+key] = v.String()
		}
	}
	return known
}

// sequenceNumbers are the items of a withSequence; ok is false where they are known only at run time. There are no more
// of them than the walk would look at.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go expandSequence.
func sequenceNumbers(s *wfv1.Sequence) (items []wfv1.Item, ok bool) {
	number := func(v *intstr.IntOrString) int {
		if v == nil {
			return 0
		}
		n, err := strconv.Atoi(v.String())
		ok = ok && err == nil
		return n
	}
	ok = true
	start, end, count := number(s.Start), number(s.End), number(s.Count)
	if !ok {
		return nil, false
	}
	if s.Count != nil {
		if count <= 0 {
			return nil, true
		}
		end = start + count - 1
	}
	format, step := s.Format, 1
	if format == "" {
		format = "%d"
	}
	if start > end {
		step = -1
	}
	if len(fmt.Sprintf(format, start)) > 256 {
		return nil, false // a width that only costs memory
	}
	for i := start; len(items) <= maxVisits; i += step {
		text, err := json.Marshal(fmt.Sprintf(format, i))
		if err != nil {
			return nil, false
		}
		items = append(items, wfv1.Item{Value: text})
		if i == end {
			break
		}
	}
	return items, true
}

// reachableTasks says for each task of a DAG that can run at all how sure it is that it does, the DAG itself running and
// nothing failing. daemon reports whether a task may go on running instead of succeeding.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go (target, depends), workflow/common/ancestry.go.
func reachableTasks(dag *wfv1.DAGTemplate, daemon func(*wfv1.DAGTask) bool) map[string]Certainty {
	tasks := map[string]*wfv1.DAGTask{}
	for i := range dag.Tasks {
		tasks[dag.Tasks[i].Name] = &dag.Tasks[i]
	}
	wanted, known := targetTasks(dag, tasks)
	r := reachability{tasks: tasks, mayBeDaemon: daemon, memo: map[string]Certainty{}}
	out := map[string]Certainty{}
	for name := range wanted {
		out[name] = r.ofTask(name)
		if !known {
			out[name] = min(out[name], Possible)
		}
	}
	return out
}

// targetTasks are the tasks that the DAG's target leads to, all of them where it names none. known is false where the
// target is known only at run time.
func targetTasks(dag *wfv1.DAGTemplate, tasks map[string]*wfv1.DAGTask) (wanted map[string]bool, known bool) {
	wanted = map[string]bool{}
	if dag.Target == "" || HasTag(dag.Target) {
		for name := range tasks {
			wanted[name] = true
		}
		return wanted, dag.Target == ""
	}
	var add func(name string)
	add = func(name string) {
		if task := tasks[name]; task != nil && !wanted[name] {
			wanted[name] = true
			for _, d := range dependencies(task) {
				add(d)
			}
		}
	}
	for _, name := range strings.Fields(dag.Target) {
		add(name)
	}
	return wanted, true
}

// reachability works out how sure it is that a task runs, from the tasks that it depends on.
type reachability struct {
	tasks map[string]*wfv1.DAGTask
	// mayBeDaemon reports whether a task may go on running instead of succeeding.
	mayBeDaemon func(*wfv1.DAGTask) bool
	memo        map[string]Certainty
}

func (r *reachability) ofTask(name string) Certainty {
	if c, ok := r.memo[name]; ok {
		return c
	}
	r.memo[name] = Possible // while it is being worked out: a cycle, which Argo refuses, is never certain
	c := r.ofDependencies(r.tasks[name])
	r.memo[name] = c
	return c
}

var (
	taskResult  = regexp.MustCompile(`([\w-]+)(?:\.(\w+))?`)
	successOnly = regexp.MustCompile(`^[\s\w.()&|-]*$`)
)

// ofDependencies says how sure it is that a task's dependencies let it run. It is certain where every term asks for a
// task that surely gets its turn, and for its success; anything that asks for a failure, or for the success of a task
// that may be skipped, is not. A bare name is also content with a skipped task, but not with one that is left out because
// its own dependencies did not come true.
func (r *reachability) ofDependencies(task *wfv1.DAGTask) Certainty {
	if !successOnly.MatchString(task.Depends) {
		return Possible
	}
	terms := taskResult.FindAllStringSubmatch(task.Depends, -1)
	for _, name := range task.Dependencies {
		terms = append(terms, []string{name, name, ""})
	}
	for _, term := range terms {
		on, result := r.tasks[term[1]], term[2]
		switch {
		case on == nil, r.ofTask(on.Name) != Certain:
			return Possible
		case result == "":
		case result == "Succeeded" && !mayBeSkipped(on) && !r.mayBeDaemon(on):
		default:
			return Possible
		}
	}
	return Certain
}

// toleratesPhase matches what lets a task run although one before it did not succeed, by the phase of that one.
var toleratesPhase = map[wfv1.NodePhase]*regexp.Regexp{
	wfv1.NodeError:  regexp.MustCompile(`\|\||!|\.(Errored|Omitted|AnySucceeded)`),
	wfv1.NodeFailed: regexp.MustCompile(`\|\||!|\.(Failed|AllFailed|Omitted|AnySucceeded)`),
}

// toleratedPhases reports for each phase whether a DAG may succeed although one of its tasks has ended in it: that of what comes last decides,
// and some task may run for all that. One that is left out counts as having ended like what came before it, be that a hook, and its
// own continueOn decides whether that matters.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go assessDAGPhase, workflow/common/ancestry.go.
func toleratedPhases(dag *wfv1.DAGTemplate) map[wfv1.NodePhase]bool {
	before := map[string]bool{}
	for i := range dag.Tasks {
		for _, name := range dependencies(&dag.Tasks[i]) {
			before[name] = true
		}
	}
	out := map[wfv1.NodePhase]bool{}
	for i := range dag.Tasks {
		task := &dag.Tasks[i]
		follows := len(dependencies(task)) > 0
		hooked := len(task.Hooks) > 0 || task.OnExit != ""
		for _, phase := range []wfv1.NodePhase{wfv1.NodeError, wfv1.NodeFailed} {
			if task.Depends != "" && toleratesPhase[phase].MatchString(task.Depends) || follows && task.ContinuesOn(phase) || hooked && before[task.Name] {
				out[phase] = true
			}
		}
	}
	return out
}

// hasHooks reports whether a step has a hook.
func hasHooks(groups []wfv1.ParallelSteps) bool {
	return slices.ContainsFunc(groups, func(group wfv1.ParallelSteps) bool {
		return slices.ContainsFunc(group.Steps, func(s wfv1.WorkflowStep) bool { return len(s.Hooks) > 0 || s.OnExit != "" })
	})
}

func mayBeSkipped(task *wfv1.DAGTask) bool { return task.When != "" || isLoop(task) }

// isLoop reports whether a task stands for any number of rounds, also none.
func isLoop(task *wfv1.DAGTask) bool {
	return len(task.WithItems) > 0 || task.WithParam != "" || task.WithSequence != nil
}

func dependencies(task *wfv1.DAGTask) []string {
	if task.Depends == "" {
		return task.Dependencies
	}
	names := slices.Clone(task.Dependencies)
	for _, m := range taskResult.FindAllStringSubmatch(task.Depends, -1) {
		names = append(names, m[1])
	}
	return names
}
