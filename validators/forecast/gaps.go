package forecast

import (
	"errors"
	"strings"
)

// Gap is a place in a Workflow whose pods can't be worked out at admission.
type Gap struct {
	// Step is the path of step names that leads to the place, such as "train/evaluate". It is empty
	// if the gap concerns the Workflow as a whole.
	Step string
	// Reason explains to the Workflow's author why the forecast stops here.
	Reason string
}

// addGap records a place that can't be followed. Steps hidden there might create any object.
func (w *walker) addGap(steps []string, reason string) {
	w.addNote(strings.Join(steps, "/"), reason)
	w.recordUnknownCreated()
}

// addUnreadable records a step that can't be read. If the cause is an exhausted budget, it records
// that instead, and only once.
func (w *walker) addUnreadable(pos position, err error) {
	if errors.Is(err, errBudgetSpent) {
		w.overLimit(pos)
		return
	}
	w.addGap(pos.steps, err.Error())
}

// addNote records a missing fact that hides no steps. Duplicates are dropped.
func (w *walker) addNote(step, reason string) {
	if g := (Gap{Step: step, Reason: reason}); !w.seenGaps[g] && len(w.seenGaps) < maxGaps {
		w.seenGaps[g] = true
		w.out.Gaps = append(w.out.Gaps, g)
	}
}
