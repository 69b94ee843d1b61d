package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// visitDAG visits the reachable tasks of a DAG template.
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
	tolerated := toleratedPhases(t.DAG)
	reachable := reachableTasks(t.DAG, taskFacts{
		mayBeDaemon: func(task *wfv1.DAGTask) bool { return w.mayBeDaemon(t.scope, task) },
		waitsForPerson: func(task *wfv1.DAGTask) bool {
			return w.waits != nil && w.waitsForPerson(t.scope, task.Template, task.Inline, task.TemplateRef)
		},
	})
	var block *callBlock
	if w.order != nil {
		block = w.newBlock(dagOrder(t.DAG))
	}
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		c, ok := reachable[task.Name]
		if !ok {
			continue
		}
		w.visitCall(templateCall{
			name:           task.Name,
			isUnnamed:      w.isKFPv2 && kfp.IsGeneratedTask(t.Name, task.Name),
			isDAGTask:      true,
			path:           t.path.Child("dag", "tasks").Index(i),
			template:       task.Template,
			inline:         task.Inline,
			templateRef:    task.TemplateRef,
			prepared:       drivers[i],
			args:           resolveArtifactArguments(t, task.Arguments, callees),
			when:           task.When,
			originalWhen:   originalTask(t, i).When,
			withItems:      task.WithItems,
			withParam:      task.WithParam,
			withSequence:   task.WithSequence,
			exitHook:       task.GetExitHook(w.wf.Spec.Arguments),
			hooks:          task.Hooks,
			continuesOn:    func(phase wfv1.NodePhase) bool { return tolerated[phase] || task.ContinuesOn(phase) },
			callerInputs:   t.inputs,
			callerKey:      t.key,
			defaultOutputs: outputs,
		}, pos.inCall(block, i).capCertainty(c))
	}
}

// mayBeDaemon reports whether a task's template is a daemon. A template that can't be seen may be
// one.
func (w *walker) mayBeDaemon(in *scope, task *wfv1.DAGTask) bool {
	if task.Inline != nil {
		return task.Inline.IsDaemon()
	}
	t, ok := in.lookup(task.Template)
	defaults := w.wf.Spec.TemplateDefaults
	return !ok || t.IsDaemon() || (defaults != nil && defaults.IsDaemon())
}

// originalTask returns a task as its author wrote it. It is empty for a task that comes from
// templateDefaults.
func originalTask(t scopedTemplate, i int) wfv1.DAGTask {
	if t.original.DAG != nil && i < len(t.original.DAG.Tasks) {
		return t.original.DAG.Tasks[i]
	}
	return wfv1.DAGTask{}
}
