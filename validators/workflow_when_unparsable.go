package validators

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// WorkflowWhenUnparsable is the ID of the rule in this file.
const WorkflowWhenUnparsable = "workflow-when-unparsable"

// Argo inserts the values of parameters into a condition as they are, and then parses it. A quote in a value ends the string that the
// author has put around it; what follows is not an expression, and the step ends in Error.
//
// Looks at: the conditions of all steps and tasks of the Workflow, with the known parameters inserted.
// Allows: conditions on values that are known only at run time; expressions of hooks, which another evaluator parses.
// Warns where the step may not be reached, where the run may go on without it, and where the rest of the condition is known only at run
// time.
var workflowWhenUnparsable = Rule[WorkflowForecast]{
	ID:          WorkflowWhenUnparsable,
	Summary:     "A step's condition can't be evaluated once its parameters are filled in.",
	DefaultMode: Deny,
	Judge: func(subject WorkflowForecast, _ Facts) []Finding {
		var out []Finding
		conditions := subject.Forecast.InvalidConditions
		for i, c := range conditions {
			if i == maxFindings {
				return append(out, unchecked(WorkflowWhenUnparsable, "spec",
					"%d more conditions that can't be evaluated are not listed", len(conditions)-i))
			}
			f := invalidCondition(c)
			if subject.Forecast.ControllerConfigError != nil {
				f.Certainty = min(f.Certainty, Possible)
			}
			out = append(out, f)
		}
		return out
	},
}

// maxQuotedLength and maxQuotedReason bound, in characters, what a message quotes of a condition and of the parser's error.
const maxQuotedLength, maxQuotedReason = 60, 100

// invalidCondition returns the finding about a condition.
func invalidCondition(c forecast.InvalidCondition) Finding {
	steps := plural("step", c.Origin.Steps)
	f := Finding{
		Rule: WorkflowWhenUnparsable, Certainty: c.Origin.EndsRun, Type: metav1.CauseTypeFieldValueInvalid, Field: c.Origin.Path.String(),
		Fix:     "correct the condition of " + steps,
		Problem: "It can't be evaluated",
		Outcome: fmt.Sprintf("Argo ends the step in Error: '%s': %s", shorten(c.Text, maxQuotedLength), shorten(c.Reason, maxQuotedReason)),
	}
	if len(c.Tags) > 0 {
		f.Fix = fmt.Sprintf("compare a value without quotes and spaces in the condition of %s%s", steps, asExpression(c.Tags[0]))
		f.Problem = fmt.Sprintf("With the value of %s it can't be evaluated", shortList(c.Tags, stepsLength))
	}
	if f.Certainty == Possible {
		f.Outcome = "If the run gets there, " + f.Outcome
	}
	return f
}

// asExpression shows how Argo itself compares a parameter, before it parses the condition.
func asExpression(tag string) string {
	group, name, ok := strings.Cut(tag, ".parameters.")
	if !ok {
		return ""
	}
	return fmt.Sprintf(", or use an expression: {{=%s.parameters['%s'] != 'None'}}", group, shorten(name, maxNameLength))
}
