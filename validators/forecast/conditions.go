package forecast

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// whenCertainty says how sure it is that a step with this condition runs.
func whenCertainty(when string) Certainty {
	if when == "" {
		return Certain
	}
	return Possible
}

// loop is what withItems, withParam or withSequence make of a step.
type loop struct {
	items     []values // what the item tags stand for in each round; one round that knows nothing, where there is no loop
	certainty Certainty
	empty     bool // a loop over nothing: the step does not run
}

// expand unrolls a step's loop as far as it is known.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go expandStep, processItem.
func expand(items []wfv1.Item, param string, sequence *wfv1.Sequence) loop {
	switch {
	case len(items) > 0:
		return rounds(items)
	case param != "":
		var list []wfv1.Item
		if HasTag(param) || json.Unmarshal([]byte(param), &list) != nil {
			return loop{items: []values{nil}, certainty: Possible}
		}
		return rounds(list)
	case sequence != nil:
		return loop{items: []values{nil}, certainty: Possible} // from 0 to any number of rounds
	}
	return loop{items: []values{nil}, certainty: Certain}
}

func rounds(items []wfv1.Item) loop {
	out := loop{certainty: Certain, empty: len(items) == 0}
	for i := range items {
		out.items = append(out.items, itemValues(&items[i]))
	}
	return out
}

func itemValues(item *wfv1.Item) values {
	known := values{"item": item.String()}
	if item.GetType() == wfv1.Map {
		for key, v := range item.GetMapVal() {
			known["item."+key] = v.String()
		}
	}
	return known
}

// reachedTasks says for each task of a DAG that can run at all how sure it is that it does, the DAG itself running and
// nothing failing.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go (target, depends), workflow/common/ancestry.go.
func reachedTasks(dag *wfv1.DAGTemplate) map[string]Certainty {
	tasks := map[string]*wfv1.DAGTask{}
	for i := range dag.Tasks {
		tasks[dag.Tasks[i].Name] = &dag.Tasks[i]
	}
	wanted, known := targets(dag, tasks)
	r := reach{tasks: tasks, memo: map[string]Certainty{}}
	out := map[string]Certainty{}
	for name := range wanted {
		out[name] = r.certainty(name)
		if !known {
			out[name] = min(out[name], Possible)
		}
	}
	return out
}

// targets are the tasks that the DAG's target leads to, all of them where it names none. known is false where the
// target is known only at run time.
func targets(dag *wfv1.DAGTemplate, tasks map[string]*wfv1.DAGTask) (wanted map[string]bool, known bool) {
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

// reach works out how sure it is that a task runs, from the tasks that it depends on.
type reach struct {
	tasks map[string]*wfv1.DAGTask
	memo  map[string]Certainty
}

func (r *reach) certainty(name string) Certainty {
	if c, ok := r.memo[name]; ok {
		return c
	}
	r.memo[name] = Possible // while it is being worked out: a cycle, which Argo refuses, is never certain
	c := r.dependsCertainty(r.tasks[name].Depends)
	r.memo[name] = c
	return c
}

var (
	taskResult   = regexp.MustCompile(`([\w-]+)(?:\.(\w+))?`)
	onlySuccess  = regexp.MustCompile(`^[\s\w.()&|-]*$`)
	taskSucceeds = map[string]bool{"": true, "Succeeded": true}
)

// dependsCertainty says how sure it is that a depends expression comes true. It is certain where every term asks for
// the success of a task; anything that asks for a failure, or for the success of a task that may be skipped, is not.
// A bare name is also true for a skipped task.
func (r *reach) dependsCertainty(depends string) Certainty {
	if depends == "" {
		return Certain
	}
	if !onlySuccess.MatchString(depends) {
		return Possible
	}
	for _, m := range taskResult.FindAllStringSubmatch(depends, -1) {
		task, result := m[1], m[2]
		if !taskSucceeds[result] || r.tasks[task] == nil {
			return Possible
		}
		if result == "Succeeded" && (mayBeSkipped(r.tasks[task]) || r.certainty(task) != Certain) {
			return Possible
		}
	}
	return Certain
}

func mayBeSkipped(task *wfv1.DAGTask) bool {
	return task.When != "" || task.WithParam != "" || task.WithSequence != nil
}

func dependencies(task *wfv1.DAGTask) []string {
	names := slices.Clone(task.Dependencies)
	for _, m := range taskResult.FindAllStringSubmatch(task.Depends, -1) {
		names = append(names, m[1])
	}
	return names
}
