package forecast

import (
	"fmt"
)

// maxWork bounds the text that is filled in, merged and patched for one forecast, in bytes.
const maxWork = 64 << 20

// budget is what is left of maxWork. What is not paid for is not known.
type budget struct {
	left int
}

var errBudgetSpent = fmt.Errorf("the Workflow comes to more than %d MiB of text once everything is filled in: not everything was looked at", maxWork>>20)

// spend pays for work on n bytes.
func (b *budget) spend(n int) error {
	if b.left < n {
		b.left = 0
		return errBudgetSpent
	}
	b.left -= n
	return nil
}
