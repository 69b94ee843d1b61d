package forecast

import (
	"fmt"
)

// Limits on the cost of one forecast. A Workflow that exceeds one of them gets a Gap.
const (
	// maxVisits limits the number of steps and templates visited. A step and its template count as
	// two.
	maxVisits = 20_000
	// maxDepth limits how deeply steps may be nested.
	maxDepth = 100
	// maxBytes limits the total size of the visited templates.
	maxBytes = 32 << 20
	// maxGaps limits the number of gaps that a forecast lists.
	maxGaps = 100
	// maxWork limits how many bytes of text may be substituted, merged, and patched.
	maxWork = 64 << 20
)

// overLimit counts one visit and reports whether the walk has to stop. The first visit over a limit
// records a Gap.
func (w *walker) overLimit(pos position) bool {
	w.visitCount++
	if w.budget.left == 0 {
		if !w.limitHit {
			w.addGap(nil, errBudgetSpent.Error())
		}
		w.limitHit = true
	}
	if w.visitCount <= maxVisits && w.visitedBytes <= maxBytes && pos.depth <= maxDepth {
		return w.limitHit
	}
	if !w.limitHit {
		w.addGap(pos.steps, fmt.Sprintf("the Workflow has more than %d steps and templates, steps nested "+
			"more than %d deep, or more than %d MiB of templates; the rest was not checked", maxVisits, maxDepth, maxBytes>>20))
	}
	w.limitHit = true
	return true
}

// budget is how much of maxWork is left. Whatever the budget does not cover stays unknown.
type budget struct {
	left int // in bytes
}

var errBudgetSpent = fmt.Errorf("the Workflow grows to more than %d MiB of text once its parameters are filled in; "+
	"the rest was not checked", maxWork>>20)

// spend takes n bytes of work from the budget. It returns errBudgetSpent if fewer are left.
func (b *budget) spend(n int) error {
	if b.left < n {
		b.left = 0
		return errBudgetSpent
	}
	b.left -= n
	return nil
}
