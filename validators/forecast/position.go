package forecast

import (
	"slices"
	"strings"
)

// position is a point in the walk: how the walk got there, how certain it is that the run gets
// there too, and which errors the run survives there.
//
// Three fields track errors, because Argo distinguishes a node that fails from one that errs:
//   - errorTolerated: the run may continue after a pod here ends in error.
//   - failureTolerated: the run may continue after a template here fails.
//   - continuesOnError: the step directly above has continueOn.error. For a pod that can't be
//     created this has no effect, because that is an error of the whole group of steps, unless the
//     pod has a retryStrategy.
type position struct {
	steps            []string // names of the steps on the way here, without those that mean nothing to the author
	depth            int      // number of steps on the way here, named or not
	certainty        Certainty
	scope            *scope
	inExitHandler    bool // the Workflow's deadline does not apply in an exit handler
	errorTolerated   bool
	failureTolerated bool
	continuesOnError bool
	calls            []callSite // the calls on the way here; recorded only for a callOrder
}

// descend returns the position inside of a step that runs with certainty c.
func (p position) descend(step string, c Certainty) position {
	p.steps = append(slices.Clip(p.steps), step)
	return p.descendUnnamed(c)
}

// descendUnnamed is like descend for a step whose name means nothing to the author.
func (p position) descendUnnamed(c Certainty) position {
	p.depth, p.certainty = p.depth+1, min(p.certainty, c)
	return p
}

// withSteps returns the position that the given steps lead to from here.
func (p position) withSteps(steps []string) position {
	p.steps = slices.Concat(p.steps, steps)
	return p
}

// capCertainty returns the same position with a certainty of at most c.
func (p position) capCertainty(c Certainty) position {
	p.certainty = min(p.certainty, c)
	return p
}

// stepPath joins the step names for display. It omits the entrypoint's own name unless it is the
// only one.
func (p position) stepPath() string {
	return strings.Join(p.steps[min(1, len(p.steps)-1):], "/")
}

// endsRun returns how certain it is that an error here ends the run.
func (p position) endsRun() Certainty {
	if p.errorTolerated {
		return min(p.certainty, Possible)
	}
	return p.certainty
}

// endsRunOnFailure returns how certain it is that a failure here, such as that of a pod at its
// deadline, ends the run.
func (p position) endsRunOnFailure() Certainty {
	if p.failureTolerated {
		return min(p.certainty, Possible)
	}
	return p.certainty
}
