package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// Bounds of what a Workflow is known to make, and of the texts that say so, in bytes; beyond them, it may make anything.
const (
	maxCreated  = 256
	maxPrograms = 4 << 20
)

func (w *walker) made(objects []Created) {
	if len(w.out.Created)+len(objects) > maxCreated {
		w.mayMakeAnything()
		return
	}
	w.out.Created = append(w.out.Created, objects...)
}

// resource records what a resource template makes.
func (w *walker) resource(r *wfv1.ResourceTemplate) {
	if w.programBytes += len(r.Manifest); w.programBytes > maxPrograms {
		w.mayMakeAnything()
		return
	}
	w.made(created(r, w.wf.Namespace))
}

// runs records what a step executes, each text once.
func (w *walker) runs(program string) {
	if program == "" || w.programs[program] {
		return
	}
	if w.programBytes += len(program); w.programBytes > maxPrograms {
		w.mayMakeAnything()
		return
	}
	w.programs[program] = true
	w.out.Programs = append(w.out.Programs, program)
}

// mayMakeAnything says that the Workflow runs templates that can't be seen from here, and any of them may be a resource
// template.
func (w *walker) mayMakeAnything() {
	if !w.anything {
		w.out.Created = append(w.out.Created, Created{})
	}
	w.anything = true
}
