package forecast

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// loop is the expansion of withItems, withParam, or withSequence. A step without a loop has one
// iteration.
type loop struct {
	// items has an item for each iteration. It is nil if there is no loop or its items are unknown.
	items      []wfv1.Item
	iterations int
	certainty  Certainty
}

// tagValues returns the values of the item tags in iteration i.
func (l loop) tagValues(i int) tagValues {
	if i >= len(l.items) {
		return nil
	}
	return itemValues(&l.items[i])
}

// singleIteration returns the loop of a step that has none, or whose items are unknown.
func singleIteration(c Certainty) loop { return loop{iterations: 1, certainty: c} }

// expandLoop expands a step's loop, as far as its items are known. It stops just beyond maxVisits
// iterations.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go expandStep, processItem.
func expandLoop(b *budget, items []wfv1.Item, param string, sequence *wfv1.Sequence) loop {
	switch {
	case len(items) > 0:
		return loopOver(items)
	case param != "":
		var list []wfv1.Item
		// Items are slow to parse.
		if HasTag(param) || b.spend(8*len(param)) != nil || json.Unmarshal([]byte(param), &list) != nil {
			return singleIteration(Possible)
		}
		if len(list) > maxVisits {
			list = slices.Clone(list[:maxVisits+1]) // lets the rest be freed
		}
		return loopOver(list)
	case sequence != nil:
		numbers, ok := sequenceNumbers(sequence)
		if !ok {
			return singleIteration(Possible)
		}
		return loopOver(numbers)
	}
	return singleIteration(Certain)
}

func loopOver(items []wfv1.Item) loop {
	return loop{items: items, iterations: len(items), certainty: Certain}
}

// itemValues returns the values of the tags item and, for a map, item.KEY.
func itemValues(item *wfv1.Item) tagValues {
	known := tagValues{"item": item.String()}
	if item.GetType() == wfv1.Map {
		for key, v := range item.GetMapVal() {
			known["item."+key] = v.String()
		}
	}
	return known
}

// sequenceNumbers returns the items of a withSequence, up to just beyond maxVisits of them. ok is
// false if they are known only at run time.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go expandSequence.
func sequenceNumbers(s *wfv1.Sequence) (items []wfv1.Item, ok bool) {
	number := func(v *intstr.IntOrString) int {
		if v == nil {
			return 0
		}
		n, err := strconv.Atoi(v.String())
		ok = ok && err == nil
		return n
	}
	ok = true
	start, end, count := number(s.Start), number(s.End), number(s.Count)
	if !ok {
		return nil, false
	}
	if s.Count != nil {
		if count <= 0 {
			return nil, true
		}
		end = start + count - 1
	}
	format, step := s.Format, 1
	if format == "" {
		format = "%d"
	}
	if start > end {
		step = -1
	}
	if len(fmt.Sprintf(format, start)) > 256 {
		return nil, false // such a width only wastes memory
	}
	for i := start; len(items) <= maxVisits; i += step {
		text, err := json.Marshal(fmt.Sprintf(format, i))
		if err != nil {
			return nil, false
		}
		items = append(items, wfv1.Item{Value: text})
		if i == end {
			break
		}
	}
	return items, true
}

// isLoop reports whether a task is a loop, which may have no iterations at all.
func isLoop(task *wfv1.DAGTask) bool {
	return len(task.WithItems) > 0 || task.WithParam != "" || task.WithSequence != nil
}
