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

// visitSteps follows the steps of a template.
func (w *walker) visitSteps(t scopedTemplate, pos position) {
	pos.errorTolerated = pos.errorTolerated || pos.failureTolerated // steps fail where one of them ends in error
	w.hasStepHooks = w.hasStepHooks || hasHooks(t.Steps)
	callees := map[string]string{}
	for _, group := range t.Steps {
		for _, step := range group.Steps {
			callees[step.Name] = step.Template
		}
	}
	outputs := func() tagValues { return defaultOutputs(t.scope, "steps", callees) }
	for i := range t.Steps {
		for j := range t.Steps[i].Steps {
			step := &t.Steps[i].Steps[j]
			w.visitCall(templateCall{
				name: step.Name, template: step.Template, inline: step.Inline, templateRef: step.TemplateRef, args: resolveArtifactArguments(t, step.Arguments, callees),
				when: step.When, originalWhen: originalStep(t, i, j).When, inputs: t.inputs, defaultOutputs: outputs, withItems: step.WithItems, withParam: step.WithParam, withSequence: step.WithSequence,
				exitHook: step.GetExitHook(w.wf.Spec.Arguments), hooks: step.Hooks, continuesOn: step.ContinuesOn,
				path: t.path.Child("steps").Index(i).Index(j), callerKey: t.key,
			}, pos)
		}
	}
}

// visitDAG follows the tasks of a template that can run at all.
func (w *walker) visitDAG(t scopedTemplate, pos position) {
	callees := map[string]string{}
	for _, task := range t.DAG.Tasks {
		callees[task.Name] = task.Template
	}
	outputs := func() tagValues { return defaultOutputs(t.scope, "tasks", callees) }
	var drivers map[int]*scopedTemplate
	if w.isKFPv2 {
		t.Template, drivers = w.withDriverOutputs(t)
	}
	goesOn := toleratedPhases(t.DAG)
	reached := reachableTasks(t.DAG, func(task *wfv1.DAGTask) bool { return w.mayBeDaemon(t.scope, task) })
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		c, ok := reached[task.Name]
		if !ok {
			continue
		}
		w.visitCall(templateCall{
			name: task.Name, template: task.Template, inline: task.Inline, templateRef: task.TemplateRef, args: resolveArtifactArguments(t, task.Arguments, callees),
			when: task.When, originalWhen: originalTask(t, i).When, inputs: t.inputs, defaultOutputs: outputs, withItems: task.WithItems, withParam: task.WithParam, withSequence: task.WithSequence,
			exitHook: task.GetExitHook(w.wf.Spec.Arguments), hooks: task.Hooks,
			continuesOn: func(phase wfv1.NodePhase) bool { return goesOn[phase] || task.ContinuesOn(phase) },
			path:        t.path.Child("dag", "tasks").Index(i), callerKey: t.key, isDAGTask: true, unnamed: w.isKFPv2 && kfp.Scaffolding(t.Name, task.Name), prepared: drivers[i],
		}, pos.capCertainty(c))
	}
}

// mayBeDaemon reports whether a task's template is a daemon, or can't be seen.
func (w *walker) mayBeDaemon(in *scope, task *wfv1.DAGTask) bool {
	if task.Inline != nil {
		return task.Inline.IsDaemon()
	}
	t, ok := in.lookup(task.Template)
	defaults := w.wf.Spec.TemplateDefaults
	return !ok || t.IsDaemon() || (defaults != nil && defaults.IsDaemon())
}

// templateCall is what a step and a DAG task have in common.
type templateCall struct {
	name           string
	template       string
	inline         *wfv1.Template
	templateRef    *wfv1.TemplateRef
	args           wfv1.Arguments
	when           string
	originalWhen   string           // the condition as its author wrote it
	inputs         tagValues        // those of the template that calls
	defaultOutputs func() tagValues // what the outputs of its other steps are if they have nothing to put out
	withItems      []wfv1.Item
	withParam      string
	withSequence   *wfv1.Sequence
	exitHook       *wfv1.LifecycleHook
	hooks          wfv1.LifecycleHooks
	// continuesOn says whether the run may go on if this ends in a phase
	continuesOn func(wfv1.NodePhase) bool
	path        *field.Path
	callerKey   string // the key of the template that calls, whose inputs an inline template shares
	isDAGTask   bool   // of a DAG
	// unnamed says that the name says nothing to the author
	unnamed bool
	// prepared is the template, if it is prepared already
	prepared *scopedTemplate
}

// visitCall follows one step or task, each round of its loop, with its hooks.
func (w *walker) visitCall(c templateCall, pos position) {
	loop := expandLoop(w.budget, c.withItems, c.withParam, c.withSequence)
	pos.errorTolerated = pos.errorTolerated || c.isDAGTask && c.continuesOn(wfv1.NodeError)
	pos.continuesOnError = !c.isDAGTask && c.continuesOn(wfv1.NodeError)
	pos.failureTolerated = pos.failureTolerated || c.continuesOn(wfv1.NodeFailed)
	step := pos.descendUnnamed(loop.certainty)
	if !c.unnamed {
		step = pos.descend(c.name, loop.certainty)
	}
	for i := range loop.iterations {
		iteration, err := c.withItem(w.budget, loop.tagValues(i))
		if err != nil {
			w.addUnreadable(step, fmt.Errorf("the step can't be read once the item is filled in: %w", err))
			continue
		}
		certainty, runs, invalid := decideWhen(w.budget, iteration.when)
		if !runs {
			continue
		}
		if invalid != nil || HasTag(iteration.when) {
			w.recordInvalidCondition(iteration, mergeValues(c.inputs, loop.tagValues(i)), invalid, step)
		}
		pos := step.capCertainty(certainty)
		if w.overLimit(pos) {
			return
		}
		w.visitTarget(iteration, pos)
		if iteration.exitHook != nil {
			exitPos := pos
			exitPos.errorTolerated, exitPos.continuesOnError = pos.errorTolerated || c.isDAGTask, false // a DAG does not look at how it ends
			w.visitHook("onExit", iteration.exitHook, exitPos)
		}
		w.visitLifecycleHooks(iteration.hooks, pos)
	}
}

// withItem returns the call of one round of a loop, the item filled in.
func (c templateCall) withItem(b *budget, item tagValues) (templateCall, error) {
	if len(item) == 0 {
		return c, nil
	}
	var errs [5]error
	c.template = resolveTagsInText(b, c.template, item)
	errs[4] = resolveTags(b, &c.templateRef, item)
	c.when = resolveTagsInText(b, c.when, item)
	errs[0] = resolveTags(b, &c.args, item)
	errs[1] = resolveTags(b, &c.inline, item)
	errs[2] = resolveTags(b, &c.exitHook, item)
	errs[3] = resolveTags(b, &c.hooks, item)
	if c.inline != nil {
		c.callerKey += "\x00" + item["item"]
	}
	return c, cmp.Or(errs[:]...)
}

// mergeValues returns what is known of inputs and of an item.
func mergeValues(inputs, item tagValues) tagValues {
	if len(item) == 0 {
		return inputs
	}
	all := maps.Clone(item)
	maps.Copy(all, inputs)
	return all
}

// visitTarget visits what a step, a task or a hook names.
func (w *walker) visitTarget(c templateCall, pos position) {
	switch {
	case c.prepared != nil:
		if !w.overLimit(pos) {
			w.visitPrepared(*c.prepared, pos)
		}
	case c.inline != nil:
		w.visit(pos.scope.inlineTemplate(c), c.args, pos)
	case c.templateRef != nil:
		w.visitByRef(c, pos)
	default:
		w.visitByName(c.template, c.args, pos)
	}
}

// visitHook visits the template of an exit handler or a lifecycle hook.
func (w *walker) visitHook(name string, hook *wfv1.LifecycleHook, pos position) {
	c := Certain
	if hook.Expression != "" {
		c = Possible
	}
	pos = pos.descend(name, c)
	pos.inExitHandler = pos.inExitHandler || name == "onExit"
	w.visitTarget(templateCall{template: hook.Template, templateRef: hook.TemplateRef, args: hook.Arguments}, pos)
}

// visitLifecycleHooks visits the hooks that run in the middle of a step, all of which stand behind an expression.
func (w *walker) visitLifecycleHooks(hooks wfv1.LifecycleHooks, pos position) {
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		if name != wfv1.ExitLifecycleEvent {
			h := hooks[name]
			w.visitHook("hooks."+string(name), &h, pos.capCertainty(Possible))
		}
	}
}
