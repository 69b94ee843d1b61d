package forecast

import (
	"fmt"
	"strings"

	"github.com/Knetic/govaluate"
)

// decideWhen says whether a step with this condition, its known parameters filled in, runs: certainly, possibly, or, if
// runs is false, certainly not. err says why the condition can't be evaluated: the step fails before it has a pod. What it
// would have needed is Possible all the same, so that it is not only found when the condition is corrected.
func decideWhen(b *budget, when string) (c Certainty, runs bool, err *conditionError) {
	switch {
	case when == "":
		return Certain, true, nil
	case HasTag(when), tooCostly(b, when):
		return Possible, true, nil
	}
	result, err := evaluateWhen(when)
	if err != nil {
		return Possible, true, err
	}
	return Certain, result, nil
}

// Bounds of conditions that are evaluated. The library takes some microseconds for each character, and a stack without end for
// brackets within brackets, which would end the program.
const (
	maxCondition    = 16 << 10
	maxBrackets     = 500
	whenCostPerByte = 100 // evaluating a character costs as much as filling in this many
)

func tooCostly(b *budget, when string) bool {
	return len(when) > maxCondition || strings.Count(when, "(") > maxBrackets || b.spend(whenCostPerByte*len(when)) != nil
}

// conditionError is why a condition can't be evaluated.
type conditionError struct {
	// unparsable says that the text is no expression; otherwise it is one that has no value, or none that is true or false.
	unparsable bool
	// reason is the library's, or Argo's.
	reason string
}

// evaluateWhen evaluates a condition without tags as Argo does, with the same library: words that are not quoted are
// strings.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go shouldExecute.
func evaluateWhen(when string) (result bool, err *conditionError) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some inputs, and Argo ends the whole run then
			err = &conditionError{reason: fmt.Sprint(p)}
		}
	}()
	expression, parseErr := govaluate.NewEvaluableExpression(when)
	if parseErr != nil {
		return false, &conditionError{true, parseErr.Error()}
	}
	tokens := expression.Tokens()
	for i := range tokens {
		if tokens[i].Kind == govaluate.VARIABLE {
			tokens[i].Kind = govaluate.STRING
		}
	}
	if expression, parseErr = govaluate.NewEvaluableExpressionFromTokens(tokens); parseErr != nil {
		return false, &conditionError{true, parseErr.Error()}
	}
	value, evalErr := expression.Evaluate(nil)
	if evalErr != nil {
		return false, &conditionError{false, evalErr.Error()}
	}
	result, ok := value.(bool)
	if !ok {
		return false, &conditionError{false, fmt.Sprintf("Expected boolean evaluation. Got %v", value)}
	}
	return result, nil
}
