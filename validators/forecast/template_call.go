package forecast

import (
	"cmp"
	"fmt"
	"maps"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// templateCall is a step, a DAG task, or a hook: anything that runs a template.
type templateCall struct {
	name      string
	isUnnamed bool // the name means nothing to the author
	isDAGTask bool
	path      *field.Path

	// The template, in one of four forms.
	template    string
	inline      *wfv1.Template
	templateRef *wfv1.TemplateRef
	prepared    *scopedTemplate

	args         wfv1.Arguments
	when         string
	originalWhen string // when as the author wrote it
	withItems    []wfv1.Item
	withParam    string
	withSequence *wfv1.Sequence
	exitHook     *wfv1.LifecycleHook
	hooks        wfv1.LifecycleHooks
	// continuesOn reports whether the run may continue after the call ends in a phase.
	continuesOn func(wfv1.NodePhase) bool

	// callerInputs are the inputs of the calling template.
	callerInputs tagValues
	// callerKey is the key of the calling template, whose inputs an inline template shares.
	callerKey string
	// defaultOutputs returns the outputs of the caller's other steps if their programs write none.
	defaultOutputs func() tagValues
}

// visitCall visits the template of a step or task and its hooks, once per iteration of its loop.
func (w *walker) visitCall(c templateCall, pos position) {
	loop := expandLoop(w.budget, c.withItems, c.withParam, c.withSequence)
	pos.errorTolerated = pos.errorTolerated || c.isDAGTask && c.continuesOn(wfv1.NodeError)
	pos.continuesOnError = !c.isDAGTask && c.continuesOn(wfv1.NodeError)
	pos.failureTolerated = pos.failureTolerated || c.continuesOn(wfv1.NodeFailed)
	step := pos.descendUnnamed(loop.certainty)
	if !c.isUnnamed {
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
			w.recordInvalidCondition(iteration, mergeValues(c.callerInputs, loop.tagValues(i)), invalid, step)
		}
		pos := step.capCertainty(certainty)
		if w.overLimit(pos) {
			return
		}
		var block *callBlock
		if iteration.exitHook != nil {
			block = w.newBlock(inSequence)
		}
		w.visitTarget(iteration, pos.inCall(block, 0))
		if iteration.exitHook != nil {
			exitPos := pos.inCall(block, 1)
			exitPos.errorTolerated = pos.errorTolerated || c.isDAGTask // a DAG ignores how its tasks' exit hooks end
			exitPos.failureTolerated = pos.failureTolerated || c.isDAGTask
			exitPos.continuesOnError = false
			if w.waits != nil && w.waitsForPerson(pos.scope, c.template, c.inline, c.templateRef) {
				exitPos = exitPos.capCertainty(Possible)
			}
			w.visitHook("onExit", iteration.exitHook, exitPos)
		}
		w.visitLifecycleHooks(iteration.hooks, pos)
	}
}

// withItem returns the call for one iteration of a loop, with the item's tags replaced.
func (c templateCall) withItem(b *budget, item tagValues) (templateCall, error) {
	if len(item) == 0 {
		return c, nil
	}
	c.template = resolveTagsInText(b, c.template, item)
	refErr := resolveTags(b, &c.templateRef, item)
	c.when = resolveTagsInText(b, c.when, item)
	err := cmp.Or(
		resolveTags(b, &c.args, item),
		resolveTags(b, &c.inline, item),
		resolveTags(b, &c.exitHook, item),
		resolveTags(b, &c.hooks, item),
		refErr,
	)
	if c.inline != nil {
		c.callerKey += "\x00" + item["item"]
	}
	return c, err
}

// mergeValues returns the values of inputs and of a loop's item together.
func mergeValues(inputs, item tagValues) tagValues {
	if len(item) == 0 {
		return inputs
	}
	all := maps.Clone(item)
	maps.Copy(all, inputs)
	return all
}

// visitTarget visits the template that a call runs.
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
