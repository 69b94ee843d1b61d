package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// Bounds of what a Workflow is known to make, and of the texts that say so, in bytes; beyond them, it may make anything.
const (
	maxCreated  = 256
	maxPrograms = 4 << 20
)

func (w *walker) recordCreated(objects []Created) {
	if len(w.out.Created)+len(objects) > maxCreated {
		w.recordUnknownCreated()
		return
	}
	w.out.Created = append(w.out.Created, objects...)
}

// recordResourceTemplate records what a resource template makes.
func (w *walker) recordResourceTemplate(r *wfv1.ResourceTemplate) {
	if w.manifestBytes += len(r.Manifest); w.manifestBytes > maxPrograms {
		w.recordUnknownCreated()
		return
	}
	w.recordCreated(createdObjects(r, w.wf.Namespace))
}

// recordProgram records a template whose program may make something.
func (w *walker) recordProgram(t *wfv1.Template) {
	w.executedTemplates = append(w.executedTemplates, t)
}

// programs are the texts that a Workflow's steps execute: commands, arguments, scripts, URLs.
type programs struct {
	texts []string // each once
	// incomplete says that there is more than can be known.
	incomplete bool
}

// programs reads what is executed. Only an object that is missing makes anybody ask.
func (w *walker) programs() (all programs) {
	seen, size := map[string]bool{}, w.manifestBytes
	for _, t := range w.executedTemplates {
		program, incomplete := w.programOf(t)
		all.incomplete = all.incomplete || incomplete
		if program == "" || seen[program] {
			continue
		}
		if size += len(program); size > maxPrograms {
			all.incomplete = true
			break
		}
		seen[program] = true
		all.texts = append(all.texts, program)
	}
	return all
}

// recordUnknownCreated says that the Workflow runs templates that can't be seen from here, and any of them may be a resource
// template.
func (w *walker) recordUnknownCreated() {
	if !w.createsUnknown {
		w.out.Created = append(w.out.Created, Created{})
	}
	w.createsUnknown = true
}
