package validators

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Certainty says how sure a finding is: Certain fails whenever the run gets there, and it does get there; Possible stands
// behind a condition that can't be decided now; Unknown could not be found out.
type Certainty = forecast.Certainty

// The three certainties.
const (
	Unknown  = forecast.Unknown
	Possible = forecast.Possible
	Certain  = forecast.Certain
)

// Finding is one thing that a rule has to say about an object.
type Finding struct {
	// Rule is the ID of the rule.
	Rule string
	// Certainty of the failure. An Unknown finding says that the rule could not check something, and why.
	Certainty Certainty
	// Type is the machine-readable kind of the cause.
	Type metav1.CauseType
	// Field is the place in the object, such as spec.templates[0].container.env[2].
	Field string

	// Problem is what is wrong, and where.
	Problem string
	// Outcome is what will happen, in the words of the error that the user would meet.
	Outcome string
	// Fix is what to do about it.
	Fix string
}

// Message is the finding on one line that survives everything it travels through: it is ASCII without double quotes,
// angle brackets, ampersands, backslashes and line breaks, because the KFP API puts it into JSON inside JSON. The most
// specific comes first, because long texts are cut.
func (f Finding) Message() string {
	parts := []string{f.Rule + ": " + f.Problem}
	for _, part := range []string{f.Outcome, f.Fix} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if f.Certainty != Unknown {
		parts = append(parts, "to skip this rule: annotation "+SkipAnnotation+": "+f.Rule)
	}
	return Plain(strings.Join(parts, "; "))
}

// Plain returns s without the characters that do not survive the way to the user, which [Finding.Message] is free of.
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
