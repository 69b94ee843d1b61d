package forecast

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// steps follows the steps of a template.
func (w *walker) steps(t placed, at position) {
	at.tolerated = at.tolerated || at.goesOnFailed // steps fail where one of them ends in error
	w.hooked = w.hooked || hooked(t.Steps)
	callees := map[string]string{}
	for _, group := range t.Steps {
		for _, step := range group.Steps {
			callees[step.Name] = step.Template
		}
	}
	outputs := func() values { return defaultOutputs(t.scope, "steps", callees) }
	for i := range t.Steps {
		for j := range t.Steps[i].Steps {
			step := &t.Steps[i].Steps[j]
			w.call(call{
				name: step.Name, template: step.Template, inline: step.Inline, ref: step.TemplateRef, args: located(t, step.Arguments, callees),
				when: step.When, written: writtenStep(t, i, j).When, inputs: t.inputs, outputs: outputs, items: step.WithItems, param: step.WithParam, sequence: step.WithSequence,
				exit: step.GetExitHook(w.wf.Spec.Arguments), hooks: step.Hooks, continues: step.ContinuesOn,
				path: t.path.Child("steps").Index(i).Index(j), within: t.key,
			}, at)
		}
	}
}

// dag follows the tasks of a template that can run at all.
func (w *walker) dag(t placed, at position) {
	callees := map[string]string{}
	for _, task := range t.DAG.Tasks {
		callees[task.Name] = task.Template
	}
	outputs := func() values { return defaultOutputs(t.scope, "tasks", callees) }
	var drivers map[int]*placed
	if w.isKFP {
		t.Template, drivers = w.withDriverOutputs(t)
	}
	goesOn := goesOnAfter(t.DAG)
	reached := reachedTasks(t.DAG, func(task *wfv1.DAGTask) bool { return w.mayBeDaemon(t.scope, task) })
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		c, ok := reached[task.Name]
		if !ok {
			continue
		}
		w.call(call{
			name: task.Name, template: task.Template, inline: task.Inline, ref: task.TemplateRef, args: located(t, task.Arguments, callees),
			when: task.When, written: writtenTask(t, i).When, inputs: t.inputs, outputs: outputs, items: task.WithItems, param: task.WithParam, sequence: task.WithSequence,
			exit: task.GetExitHook(w.wf.Spec.Arguments), hooks: task.Hooks,
			continues: func(phase wfv1.NodePhase) bool { return goesOn[phase] || task.ContinuesOn(phase) },
			path:      t.path.Child("dag", "tasks").Index(i), within: t.key, task: true, scaffolding: w.isKFP && kfp.Scaffolding(t.Name, task.Name), prepared: drivers[i],
		}, at.atMost(c))
	}
}

// mayBeDaemon reports whether a task's template is a daemon, or can't be seen.
func (w *walker) mayBeDaemon(in *scope, task *wfv1.DAGTask) bool {
	if task.Inline != nil {
		return task.Inline.IsDaemon()
	}
	t, ok := in.template(task.Template)
	defaults := w.wf.Spec.TemplateDefaults
	return !ok || t.IsDaemon() || (defaults != nil && defaults.IsDaemon())
}

// call is what a step and a DAG task have in common.
type call struct {
	name     string
	template string
	inline   *wfv1.Template
	ref      *wfv1.TemplateRef
	args     wfv1.Arguments
	when     string
	written  string        // the condition as its author wrote it
	inputs   values        // those of the template that calls
	outputs  func() values // what the outputs of its other steps are if they have nothing to put out
	items    []wfv1.Item
	param    string
	sequence *wfv1.Sequence
	exit     *wfv1.LifecycleHook
	hooks    wfv1.LifecycleHooks
	// continues says whether the run may go on if this ends in a phase
	continues func(wfv1.NodePhase) bool
	path      *field.Path
	within    string // the key of the template that calls, whose inputs an inline template shares
	task      bool   // of a DAG
	// scaffolding says that the name says nothing to the author
	scaffolding bool
	// prepared is the template, if it is prepared already
	prepared *placed
}

// call follows one step or task, each round of its loop, with its hooks.
func (w *walker) call(c call, at position) {
	loop := expand(w.work, c.items, c.param, c.sequence)
	at.tolerated = at.tolerated || c.task && c.continues(wfv1.NodeError)
	at.ofStep = !c.task && c.continues(wfv1.NodeError)
	at.goesOnFailed = at.goesOnFailed || c.continues(wfv1.NodeFailed)
	step := at.within(loop.certainty)
	if !c.scaffolding {
		step = at.into(c.name, loop.certainty)
	}
	for round := range loop.rounds {
		one, err := c.with(w.work, loop.values(round))
		if err != nil {
			w.unread(step, fmt.Errorf("the step can't be read once the item is filled in: %w", err))
			continue
		}
		certainty, runs, broken := whenRuns(w.work, one.when)
		if !runs {
			continue
		}
		if broken != nil || HasTag(one.when) {
			w.broken(one, with(c.inputs, loop.values(round)), broken, step)
		}
		at := step.atMost(certainty)
		if w.enough(at) {
			return
		}
		w.target(one, at)
		if one.exit != nil {
			exit := at
			exit.tolerated, exit.ofStep = at.tolerated || c.task, false // a DAG does not look at how it ends
			w.hook("onExit", one.exit, exit)
		}
		w.otherHooks(one.hooks, at)
	}
}

// with returns the call of one round of a loop, the item filled in.
func (c call) with(b *budget, item values) (call, error) {
	if len(item) == 0 {
		return c, nil
	}
	var errs [5]error
	c.template = resolveText(b, c.template, item)
	errs[4] = resolve(b, &c.ref, item)
	c.when = resolveText(b, c.when, item)
	errs[0] = resolve(b, &c.args, item)
	errs[1] = resolve(b, &c.inline, item)
	errs[2] = resolve(b, &c.exit, item)
	errs[3] = resolve(b, &c.hooks, item)
	if c.inline != nil {
		c.within += "\x00" + item["item"]
	}
	return c, cmp.Or(errs[:]...)
}

// with returns what is known of inputs and of an item.
func with(inputs, item values) values {
	if len(item) == 0 {
		return inputs
	}
	all := maps.Clone(item)
	maps.Copy(all, inputs)
	return all
}

// target visits what a step, a task or a hook names.
func (w *walker) target(c call, at position) {
	switch {
	case c.prepared != nil:
		if !w.enough(at) {
			w.enter(*c.prepared, at)
		}
	case c.inline != nil:
		w.visit(at.scope.inline(c), c.args, at)
	case c.ref != nil:
		w.byRef(c, at)
	default:
		w.byName(c.template, c.args, at)
	}
}

// hook visits the template of an exit handler or a lifecycle hook.
func (w *walker) hook(name string, hook *wfv1.LifecycleHook, at position) {
	c := Certain
	if hook.Expression != "" {
		c = Possible
	}
	at = at.into(name, c)
	at.exit = at.exit || name == "onExit"
	w.target(call{template: hook.Template, ref: hook.TemplateRef, args: hook.Arguments}, at)
}

// otherHooks visits the hooks that run in the middle of a step, all of which stand behind an expression.
func (w *walker) otherHooks(hooks wfv1.LifecycleHooks, at position) {
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		if name != wfv1.ExitLifecycleEvent {
			h := hooks[name]
			w.hook("hooks."+string(name), &h, at.atMost(Possible))
		}
	}
}
