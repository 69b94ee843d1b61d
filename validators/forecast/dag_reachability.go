package forecast

import (
	"regexp"
	"slices"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// taskFacts are what reachability depends on besides the DAG itself.
type taskFacts struct {
	// mayBeDaemon reports whether a task may keep running instead of succeeding.
	mayBeDaemon func(*wfv1.DAGTask) bool
	// waitsForPerson reports whether a task may wait until somebody resumes the Workflow.
	waitsForPerson func(*wfv1.DAGTask) bool
}

// reachableTasks returns the tasks of a DAG that can run, with how certain it is that they do,
// given that the DAG runs and nothing fails.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go (target, depends), workflow/common/ancestry.go.
func reachableTasks(dag *wfv1.DAGTemplate, facts taskFacts) map[string]Certainty {
	tasks := map[string]*wfv1.DAGTask{}
	for i := range dag.Tasks {
		tasks[dag.Tasks[i].Name] = &dag.Tasks[i]
	}
	wanted, known := targetTasks(dag, tasks)
	r := reachability{tasks: tasks, taskFacts: facts, memo: map[string]Certainty{}}
	out := map[string]Certainty{}
	for name := range wanted {
		out[name] = r.ofTask(name)
		if !known {
			out[name] = min(out[name], Possible)
		}
	}
	return out
}

// targetTasks returns the tasks that the DAG's target depends on, or all tasks if it names no
// target. known is false if the target is known only at run time.
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

// reachability computes how certain it is that a task runs from the tasks that it depends on.
type reachability struct {
	taskFacts
	tasks map[string]*wfv1.DAGTask
	memo  map[string]Certainty // by task
}

// ofTask returns how certain it is that the named task runs.
func (r *reachability) ofTask(name string) Certainty {
	if c, ok := r.memo[name]; ok {
		return c
	}
	r.memo[name] = Possible // ends the recursion in a cycle, which Argo rejects
	c := r.ofDependencies(r.tasks[name])
	r.memo[name] = c
	return c
}

var (
	taskResult  = regexp.MustCompile(`([\w-]+)(?:\.(\w+))?`)
	successOnly = regexp.MustCompile(`^[\s\w.()&|-]*$`)
)

// ofDependencies returns how certain it is that a task's dependencies let it run.
//
// It is Certain if every term asks for the success of a task that certainly runs. A term that asks
// for a failure, or for the success of a task that may be skipped, makes it Possible. A bare task
// name also accepts a skipped task, but not a task that was omitted because its own dependencies
// were not met.
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
		case on == nil, r.ofTask(on.Name) != Certain, r.waitsForPerson(on):
			return Possible
		case result == "":
		case result == "Succeeded" && !mayBeSkipped(on) && !r.mayBeDaemon(on):
		default:
			return Possible
		}
	}
	return Certain
}

// mayBeSkipped reports whether a task may run no pod even though its dependencies are met.
func mayBeSkipped(task *wfv1.DAGTask) bool { return task.When != "" || isLoop(task) }

// dependencies returns the names of the tasks that a task depends on.
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
