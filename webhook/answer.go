package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// answer is the outcome of a review.
type answer struct {
	findings []decidedFinding
	// passed is the reason for admitting the object without judging it, one of the pass constants; empty if it was judged.
	passed string
	// failure is the error on our side because of which the object was not judged.
	failure error
	// skipped are the IDs of the rules that the object's annotation skips.
	skipped []string
	// extraWarnings are further warnings for the client.
	extraWarnings []string
}

// decidedFinding is a finding and what it leads to.
type decidedFinding struct {
	validators.Finding
	effect validators.Mode
}

// allowUnchecked admits an object that could not be judged because of a failure on our side.
func (a *answer) allowUnchecked(passed string, failure error) {
	a.passed, a.failure = passed, failure
}

// decide adds findings, each with the effect that the policy gives it. Findings without an effect are dropped.
func (a *answer) decide(policy validators.Policy, findings []validators.Finding) {
	for _, f := range findings {
		if effect := policy.Effect(f); effect != validators.Off {
			a.findings = append(a.findings, decidedFinding{f, effect})
		}
	}
}

// withEffect returns the findings with an effect.
func (a *answer) withEffect(effect validators.Mode) []decidedFinding {
	var out []decidedFinding
	for _, f := range a.findings {
		if f.effect == effect {
			out = append(out, f)
		}
	}
	return out
}

func (a *answer) denied() bool { return len(a.withEffect(validators.Deny)) > 0 }

// rules are the IDs of the rules that have findings with an effect, each once.
func (a *answer) rules(effect validators.Mode) []string {
	var ids []string
	for _, f := range a.withEffect(effect) {
		if !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	return ids
}

// skippable are the IDs of the rules whose findings with an effect say more than that something could not be checked.
func (a *answer) skippable(effect validators.Mode) []string {
	var ids []string
	for _, f := range a.withEffect(effect) {
		if f.Certainty != validators.Unknown && !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	return ids
}

// message is the full text of a denial, on one line.
func (a *answer) message() string {
	return a.joinMessages(validators.Deny) + " " + validators.SkipHint(a.rules(validators.Deny))
}

// joinMessages joins the messages of all findings with an effect.
func (a *answer) joinMessages(effect validators.Mode) string {
	var messages []string
	for _, f := range a.withEffect(effect) {
		messages = append(messages, f.Message())
	}
	return strings.Join(messages, " | ")
}

// The API server passes on 4096 characters of warnings, including those of other webhooks. If there are more, it truncates each warning
// to 256 characters.
const (
	maxWarnings    = 5
	maxWarningText = 3800
)

// warnings are shown to the client, whether or not the object is admitted.
func (a *answer) warnings() []string {
	var out []string
	if a.failure != nil {
		out = append(out, validators.Plain(fmt.Sprintf("kfp-preflight admitted this without checking it: %.300s", a.failure.Error())))
	}
	out = append(out, a.extraWarnings...)
	for _, f := range a.withEffect(validators.Warn) {
		out = append(out, f.Message())
	}
	out = boundWarnings(out)
	if rules := a.skippable(validators.Warn); len(rules) > 0 && !a.denied() {
		out[len(out)-1] += " " + validators.SkipHint(rules)
	}
	return out
}

// boundWarnings shortens a list of warnings to what the API server passes on.
func boundWarnings(warnings []string) []string {
	if len(warnings) > 0 && len(warnings[0]) > maxWarningText {
		warnings[0] = warnings[0][:maxWarningText-3] + "..."
	}
	left := maxWarningText
	for i, warning := range warnings {
		if left -= len(warning); i == maxWarnings || left < 0 && i > 0 {
			return append(warnings[:i], fmt.Sprintf("and %d more warnings of kfp-preflight", len(warnings)-i))
		}
	}
	return warnings
}

// addWarning adds a warning for the client.
func (a *answer) addWarning(format string, args ...any) {
	a.extraWarnings = append(a.extraWarnings, validators.Plain(fmt.Sprintf(format, args...)))
}

// auditAnnotations go to the API server's audit log. It prefixes the keys with the webhook's name.
func (a *answer) auditAnnotations() map[string]string {
	out := map[string]string{}
	if line := a.joinMessages(validators.Audit); line != "" {
		out["audit"] = line
	}
	if line := a.joinMessages(validators.Warn); line != "" {
		out["warn"] = line
	}
	if a.failure != nil {
		out["unchecked"] = a.passed
	}
	if len(a.skipped) > 0 {
		out["skipped"] = strings.Join(a.skipped, ",")
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// response returns the answer as the API server expects it. A denial is 422 Invalid with a cause for each finding: kubectl shows the causes
// and drops the message, the KFP API shows the message and drops the rest. The skip hint is part of the last cause.
func (a *answer) response(k kind, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{
		UID: req.UID, Allowed: !a.denied(), Warnings: a.warnings(), AuditAnnotations: a.auditAnnotations(),
	}
	if response.Allowed {
		return response
	}
	details := &metav1.StatusDetails{Name: req.Name, Group: k.group, Kind: k.name}
	denied := a.withEffect(validators.Deny)
	for i, f := range denied {
		cause := metav1.StatusCause{Type: f.Type, Field: f.Field, Message: f.Message()}
		if i == len(denied)-1 {
			cause.Message += " " + validators.SkipHint(a.rules(validators.Deny))
		}
		details.Causes = append(details.Causes, cause)
	}
	response.Result = &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: a.message(), Details: details,
	}
	return response
}
