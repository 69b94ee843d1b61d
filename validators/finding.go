package validators

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Certainty says how sure a finding is. Certain: the run reaches the failure, and then it fails. Possible: that depends on a condition
// which can't be evaluated now. Unknown: the rule could not check something.
type Certainty = forecast.Certainty

// The three certainties.
const (
	Unknown  = forecast.Unknown
	Possible = forecast.Possible
	Certain  = forecast.Certain
)

// Finding is what a rule reports about an object. Its texts are sentences without a final period.
type Finding struct {
	// Rule is the ID of the rule.
	Rule string
	// Certainty of the failure. An Unknown finding has only a Problem: what could not be checked, and why.
	Certainty Certainty
	// Type is the machine-readable type of the cause.
	Type metav1.CauseType
	// Field is the place in the object, such as spec.templates[0].container.env[2].
	Field string
	// OtherFields are further places that the same fix applies to.
	OtherFields []string

	// Pod is the pod that the API server refuses according to the finding; nil if the finding is about something else.
	Pod *corev1.Pod

	// Fix says what to do, with the names. It begins in lower case: it follows the rule's ID.
	Fix string
	// Problem says what is wrong, and in which steps.
	Problem string
	// Outcome says what happens otherwise, and quotes one error that the user would meet.
	Outcome string
}

// Message is the finding on one line: the rule, then the fix, because long texts are cut at their end. The line is ASCII without double
// quotes, angle brackets, ampersands, backslashes and line breaks, because the KFP API embeds it in JSON within JSON.
func (f Finding) Message() string {
	return Plain(f.Rule + ": " + strings.Join(f.Texts(), ". ") + ".")
}

// MapFields replaces the fields of a finding by those of the object that the Workflow is a part of.
func (f *Finding) MapFields(place func(field string) string) {
	f.Field = place(f.Field)
	for i := range f.OtherFields {
		f.OtherFields[i] = place(f.OtherFields[i])
	}
}

// Texts returns the texts of a finding, the most important first.
func (f Finding) Texts() []string {
	return slices.DeleteFunc([]string{f.Fix, f.Problem, f.Outcome}, func(text string) bool { return text == "" })
}

// Plain replaces the characters of s that clients garble on their way to the user. See [Finding.Message].
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r > '~' || r == '&' || r == '<' || r == '>' || r == '\\':
			return '?'
		}
		return r
	}, s)
}

// maxFindings bounds the findings of one rule about one object.
const maxFindings = 20

// unchecked returns a finding that says what a rule could not check.
func unchecked(rule, field, format string, args ...any) Finding {
	return Finding{
		Rule: rule, Certainty: Unknown, Type: metav1.CauseTypeFieldValueNotFound, Field: field, Problem: fmt.Sprintf(format, args...),
	}
}

// podCertainty is how certain it is that a pod runs as forecast.
func podCertainty(pod *forecast.Pod) Certainty {
	if pod.Unknown != "" {
		return min(pod.Origin.Certainty, Possible)
	}
	return pod.Origin.Certainty
}
