package validators

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// WorkflowWhenUnparsable is the ID of the rule in this file.
const WorkflowWhenUnparsable = "workflow-when-unparsable"

// Argo puts the values of parameters into a condition as they are, and then reads it. A value with a quote in it ends the text that
// the author has put around it, and what follows is no expression: the step errs.
//
// Looks at: the conditions of all steps and tasks that the Workflow leads to, with the parameters that are known filled in.
// Passes: conditions on values that exist only at run time; expressions of hooks, which have another evaluator.
// A warning where the step may not get its turn, where the run may go on without it, and where the rest of the condition exists only
// at run time.
var workflowWhenUnparsable = Rule[WorkflowForecast]{
	ID:      WorkflowWhenUnparsable,
	Summary: "A step's condition can't be evaluated once its parameters are filled in.",
	Judge: func(subject WorkflowForecast, _ Facts) []Finding {
		var out []Finding
		for i, c := range subject.Forecast.InvalidConditions {
			if i == maxRefusals {
				return append(out, unchecked(WorkflowWhenUnparsable, "%d more conditions that can't be evaluated are not listed", len(subject.Forecast.InvalidConditions)-i))
			}
			f := unparsable(c)
			if subject.Forecast.ControllerConfigError != nil {
				f.Certainty = min(f.Certainty, Possible)
			}
			out = append(out, f)
		}
		return out
	},
}

func unparsable(c forecast.InvalidCondition) Finding {
	f := Finding{
		Rule: WorkflowWhenUnparsable, Certainty: c.Origin.EndsRun, Type: metav1.CauseTypeFieldValueInvalid, Field: c.Origin.Path.String(),
		Problem: fmt.Sprintf("the condition of %s can't be evaluated: %s", plural("step", c.Origin.Steps), shortened(c.Reason)),
		Outcome: fmt.Sprintf("Argo would end the step in error (Invalid 'when' expression '%s')", shortened(c.Text)),
		Fix:     "to fix, correct the condition",
	}
	if len(c.Tags) > 0 {
		f.Problem = fmt.Sprintf("the condition of %s can't be evaluated with the value of %s in it: %s", plural("step", c.Origin.Steps), inWords(c.Tags), shortened(c.Reason))
		f.Fix = "to fix, compare something that has no quotes and spaces, such as a parameter that only says yes or no" + asExpression(c.Tags[0])
	}
	if f.Certainty == Possible {
		f.Outcome = "if it comes to that step, " + f.Outcome
	}
	return f
}

// asExpression shows how Argo compares a parameter itself, before the condition is read.
func asExpression(tag string) string {
	group, name, ok := strings.Cut(tag, ".parameters.")
	if !ok {
		return ""
	}
	return fmt.Sprintf(", or let an expression compare it: {{=%s.parameters['%s'] != 'None'}}", group, name)
}

// shortened keeps the beginning and the end of a text that is long: in conditions the operator stands in between.
func shortened(text string) string {
	const most = 120
	runes := []rune(strings.TrimSpace(text))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most*2/3]) + " ... " + string(runes[len(runes)-most/3:])
}
