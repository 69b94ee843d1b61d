package forecast

import (
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// visitSteps visits the steps of a steps template.
func (w *walker) visitSteps(t scopedTemplate, pos position) {
	// A steps template fails if one of its steps errs.
	pos.errorTolerated = pos.errorTolerated || pos.failureTolerated
	w.hasStepHooks = w.hasStepHooks || hasHooks(t.Steps)
	callees := map[string]string{}
	for _, group := range t.Steps {
		for _, step := range group.Steps {
			callees[step.Name] = step.Template
		}
	}
	outputs := func() tagValues { return defaultOutputs(t.scope, "steps", callees) }
	block := w.newBlock(groupOrder(t.Steps))
	call := 0
	for i := range t.Steps {
		if w.waits != nil && i > 0 && w.groupWaits(t.scope, t.Steps[i-1].Steps) {
			pos = pos.capCertainty(Possible)
		}
		for j := range t.Steps[i].Steps {
			step := &t.Steps[i].Steps[j]
			w.visitCall(templateCall{
				name:           step.Name,
				path:           t.path.Child("steps").Index(i).Index(j),
				template:       step.Template,
				inline:         step.Inline,
				templateRef:    step.TemplateRef,
				args:           resolveArtifactArguments(t, step.Arguments, callees),
				when:           step.When,
				originalWhen:   originalStep(t, i, j).When,
				withItems:      step.WithItems,
				withParam:      step.WithParam,
				withSequence:   step.WithSequence,
				exitHook:       step.GetExitHook(w.wf.Spec.Arguments),
				hooks:          step.Hooks,
				continuesOn:    step.ContinuesOn,
				callerInputs:   t.inputs,
				callerKey:      t.key,
				defaultOutputs: outputs,
			}, pos.inCall(block, call))
			call++
		}
	}
}

// groupOrder returns the order of the steps of a template, by number: a step starts only after all steps
// of the groups before its own have ended.
func groupOrder(groups []wfv1.ParallelSteps) func(i, j int) bool {
	groupOf := func(step int) int {
		group := 0
		for ; group < len(groups) && step >= len(groups[group].Steps); group++ {
			step -= len(groups[group].Steps)
		}
		return group
	}
	return func(i, j int) bool { return groupOf(i) > groupOf(j) }
}

// hasHooks reports whether any step has a hook.
func hasHooks(groups []wfv1.ParallelSteps) bool {
	return slices.ContainsFunc(groups, func(group wfv1.ParallelSteps) bool {
		return slices.ContainsFunc(group.Steps, func(s wfv1.WorkflowStep) bool { return len(s.Hooks) > 0 || s.OnExit != "" })
	})
}

// originalStep returns a step as its author wrote it. It is empty for a step that comes from
// templateDefaults.
func originalStep(t scopedTemplate, group, i int) wfv1.WorkflowStep {
	if group < len(t.original.Steps) && i < len(t.original.Steps[group].Steps) {
		return t.original.Steps[group].Steps[i]
	}
	return wfv1.WorkflowStep{}
}
