package forecast

import (
	"slices"
	"strings"
)

// position is where the walk has got to.
type position struct {
	steps     []string // the names that say something to a reader
	depth     int
	certainty Certainty
	scope     *scope
	exit      bool // in an exit handler, which the Workflow's deadline does not end
	// tolerated says that the run may go on if a pod here ends in error, goesOnFailed that it may if a template here fails.
	tolerated, goesOnFailed bool
	// ofStep says that the step that leads right here may end in error. That is of no use to a pod that can't be made, which is an
	// error of the whole group of steps, unless it is tried again.
	ofStep bool
}

func (s position) into(step string, c Certainty) position {
	s.steps = append(slices.Clip(s.steps), step)
	return s.within(c)
}

// within is into for a step whose name says nothing.
func (s position) within(c Certainty) position {
	s.depth, s.certainty = s.depth+1, min(s.certainty, c)
	return s
}

// further is the stop that some more steps lead to.
func (s position) further(steps []string) position {
	s.steps = slices.Concat(s.steps, steps)
	return s
}

// step is the path of steps for a reader. The entrypoint's own name says nothing, unless it is all there is.
func (s position) step() string {
	return strings.Join(s.steps[min(1, len(s.steps)-1):], "/")
}

// endsRun says how sure it is that an error here ends the run.
func (s position) endsRun() Certainty {
	if s.tolerated {
		return min(s.certainty, Possible)
	}
	return s.certainty
}

// atMost returns the same place, reached no more surely than c.
func (s position) atMost(c Certainty) position {
	s.certainty = min(s.certainty, c)
	return s
}
