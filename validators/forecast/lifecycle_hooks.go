package forecast

import (
	"maps"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

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

// visitLifecycleHooks visits the hooks that run while a step is running. All of them depend on an
// expression.
func (w *walker) visitLifecycleHooks(hooks wfv1.LifecycleHooks, pos position) {
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		if name != wfv1.ExitLifecycleEvent {
			h := hooks[name]
			w.visitHook("hooks."+string(name), &h, pos.capCertainty(Possible))
		}
	}
}
