package forecast

import (
	"slices"
	"strings"
)

// position is where the walk has got to.
type position struct {
	steps         []string // the names that say something to a reader
	depth         int
	certainty     Certainty
	scope         *scope
	inExitHandler bool // in an exit handler, which the Workflow's deadline does not end
	// errorTolerated says that the run may go on if a pod here ends in error, goesOnFailed that it may if a template here fails.
	errorTolerated, failureTolerated bool
	// continuesOnError says that the step that leads right here may end in error. That is of no use to a pod that can't be made, which is an
	// error of the whole group of steps, unless it is tried again.
	continuesOnError bool
}

func (s position) descend(step string, c Certainty) position {
	s.steps = append(slices.Clip(s.steps), step)
	return s.descendUnnamed(c)
}

// descendUnnamed is into for a step whose name says nothing.
func (s position) descendUnnamed(c Certainty) position {
	s.depth, s.certainty = s.depth+1, min(s.certainty, c)
	return s
}

// withSteps is the stop that some more steps lead to.
func (s position) withSteps(steps []string) position {
	s.steps = slices.Concat(s.steps, steps)
	return s
}

// stepPath is the path of steps for a reader. The entrypoint's own name says nothing, unless it is all there is.
func (s position) stepPath() string {
	return strings.Join(s.steps[min(1, len(s.steps)-1):], "/")
}

// endsRun says how sure it is that an error here ends the run.
func (s position) endsRun() Certainty {
	if s.errorTolerated {
		return min(s.certainty, Possible)
	}
	return s.certainty
}

// capCertainty returns the same place, reached no more surely than c.
func (s position) capCertainty(c Certainty) position {
	s.certainty = min(s.certainty, c)
	return s
}
