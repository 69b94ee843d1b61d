package forecast

import (
	"fmt"

	"github.com/Knetic/govaluate"
)

// whenRuns says whether a step with this condition, its known parameters filled in, runs: certainly, possibly, or, if
// runs is false, certainly not. A condition that can't be evaluated makes the step fail before it has a pod; whether
// that is so is another rule's business, here the step possibly runs.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go shouldExecute.
func whenRuns(when string) (c Certainty, runs bool) {
	switch {
	case when == "":
		return Certain, true
	case HasTag(when):
		return Possible, true
	}
	result, err := evaluateWhen(when)
	if err != nil {
		return Possible, true
	}
	return Certain, result
}

// evaluateWhen evaluates a condition without tags as Argo does, with the same library: words that are not quoted are
// strings.
func evaluateWhen(when string) (result bool, err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some inputs
			err = fmt.Errorf("%v", p)
		}
	}()
	expression, err := govaluate.NewEvaluableExpression(when)
	if err != nil {
		return false, err
	}
	tokens := expression.Tokens()
	for i := range tokens {
		if tokens[i].Kind == govaluate.VARIABLE {
			tokens[i].Kind = govaluate.STRING
		}
	}
	if expression, err = govaluate.NewEvaluableExpressionFromTokens(tokens); err != nil {
		return false, err
	}
	value, err := expression.Evaluate(nil)
	if err != nil {
		return false, err
	}
	result, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("the condition gives %v, which is neither true nor false", value)
	}
	return result, nil
}
