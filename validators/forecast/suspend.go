package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// A suspend template without a duration waits until somebody resumes the Workflow. By then, anything
// may have been created, so that nothing after it is Certain. The walk does not know what comes
// after what, so a Workflow with such a template is walked a second time.

// isWait reports whether a template waits for somebody to resume the Workflow.
func isWait(t *wfv1.Template) bool {
	return t.Suspend != nil && (t.Suspend.Duration == "" || HasTag(t.Suspend.Duration))
}

// waitsForPerson reports whether a call may lead to such a template. It knows the WorkflowTemplates
// that the walk has looked up.
func (w *walker) waitsForPerson(in *scope, name string, inline *wfv1.Template, ref *wfv1.TemplateRef) bool {
	switch {
	case inline != nil:
		return w.templateWaits(in, inline)
	case ref != nil:
		referenced, ok := w.referencedScopes[templateTitle(ref.Name, ref.ClusterScope)]
		if !ok {
			return false
		}
		in, name = referenced.scope, ref.Template
	}
	key := in.name + "\x00" + name
	if waits, ok := w.waits[key]; ok {
		return waits
	}
	w.waits[key] = false // ends recursion
	t, ok := in.lookup(name)
	waits := ok && w.templateWaits(in, t.Template)
	w.waits[key] = waits
	return waits
}

func (w *walker) templateWaits(in *scope, t *wfv1.Template) bool {
	if isWait(t) {
		return true
	}
	for _, group := range t.Steps {
		if w.groupWaits(in, group.Steps) {
			return true
		}
	}
	if t.DAG != nil {
		for i := range t.DAG.Tasks {
			if task := &t.DAG.Tasks[i]; w.waitsForPerson(in, task.Template, task.Inline, task.TemplateRef) {
				return true
			}
		}
	}
	return false
}

// groupWaits reports whether a group of steps may wait for somebody to resume the Workflow.
func (w *walker) groupWaits(in *scope, steps []wfv1.WorkflowStep) bool {
	for i := range steps {
		if w.waitsForPerson(in, steps[i].Template, steps[i].Inline, steps[i].TemplateRef) {
			return true
		}
	}
	return false
}
