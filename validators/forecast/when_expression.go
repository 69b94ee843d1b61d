package forecast

import (
	"fmt"
	"strings"

	"github.com/Knetic/govaluate"
)

// decideWhen decides whether a step with the given condition runs. The condition has its known
// parameters filled in. If runs is false, the step certainly does not run; otherwise c is how
// certain it is that it does. err is why the condition can't be evaluated, in which case the step
// fails before it has a pod. Its pod counts as Possible regardless, so that its problems are
// reported together with the condition.
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

// Limits on the conditions that are evaluated. The library takes some microseconds for each
// character. It recurses into nested brackets without a limit, and a stack overflow would end the
// program.
const (
	maxConditionBytes = 16 << 10
	maxBrackets       = 500
	whenCostPerByte   = 100 // evaluating a byte costs as much as substituting this many
)

// tooCostly reports whether a condition exceeds a limit. Otherwise it charges the budget for the
// evaluation.
func tooCostly(b *budget, when string) bool {
	return len(when) > maxConditionBytes || strings.Count(when, "(") > maxBrackets || b.spend(whenCostPerByte*len(when)) != nil
}

// conditionError explains why a condition can't be evaluated.
type conditionError struct {
	// unparsable is set if the condition is not an expression at all. Otherwise its evaluation
	// fails or does not result in true or false.
	unparsable bool
	// reason is the error message of the library or of Argo.
	reason string
}

// evaluateWhen evaluates a condition without tags as Argo does, with the same library. Unquoted
// words are strings.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/steps.go shouldExecute.
func evaluateWhen(when string) (result bool, err *conditionError) {
	defer func() {
		// The library panics on some inputs, which ends the whole run in Argo.
		if p := recover(); p != nil {
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
