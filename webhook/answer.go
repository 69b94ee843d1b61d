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
	// passed is the reason why the object was not judged; empty if it was.
	passed string
	// trouble is the failure on our side that kept us from judging.
	trouble error
	// skipped are the IDs of the rules that the object's annotation skips.
	skipped []string
	// remarks are further warnings for the client.
	remarks []string
}

// decidedFinding is a finding and what it leads to.
type decidedFinding struct {
	validators.Finding
	effect validators.Mode
}

// allowUnchecked admits an object that could not be judged because of a failure on our side.
func (a *answer) allowUnchecked(passed string, trouble error) {
	a.passed, a.trouble = passed, trouble
}

// decide adds findings with what the policy makes of them.
func (a *answer) decide(policy validators.Policy, findings []validators.Finding) {
	for _, f := range findings {
		if effect := policy.Effect(f); effect != validators.Off {
			a.findings = append(a.findings, decidedFinding{f, effect})
		}
	}
}

// with returns the findings with an effect.
func (a *answer) with(effect validators.Mode) []decidedFinding {
	var out []decidedFinding
	for _, f := range a.findings {
		if f.effect == effect {
			out = append(out, f)
		}
	}
	return out
}

func (a *answer) denied() bool { return len(a.with(validators.Deny)) > 0 }

// rules are the IDs of the rules that have findings with an effect, each once.
func (a *answer) rules(effect validators.Mode) []string {
	var ids []string
	for _, f := range a.with(effect) {
		if !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	return ids
}

// skippable are the IDs of the rules whose findings with an effect say more than that something could not be checked.
func (a *answer) skippable(effect validators.Mode) []string {
	var ids []string
	for _, f := range a.with(effect) {
		if f.Certainty != validators.Unknown && !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	return ids
}

// message is everything that a denial says, on one line.
func (a *answer) message() string {
	return a.line(validators.Deny) + " " + validators.SkipHint(a.rules(validators.Deny))
}

// line joins the messages of all findings with an effect.
func (a *answer) line(effect validators.Mode) string {
	var messages []string
	for _, f := range a.with(effect) {
		messages = append(messages, f.Message())
	}
	return strings.Join(messages, " | ")
}

// The API server passes on 4096 characters of warnings, those of other webhooks included. Once they exceed that, it cuts each warning
// to 256.
const (
	maxWarnings    = 5
	maxWarningText = 3800
)

// warnings are shown to the client of an object that is admitted, or in addition to a denial.
func (a *answer) warnings() []string {
	var out []string
	if a.trouble != nil {
		out = append(out, validators.Plain(fmt.Sprintf("kfp-preflight admitted this without checking it: %.300s", a.trouble.Error())))
	}
	out = append(out, a.remarks...)
	for _, f := range a.with(validators.Warn) {
		out = append(out, f.Message())
	}
	out = boundWarnings(out)
	if rules := a.skippable(validators.Warn); len(rules) > 0 && !a.denied() {
		out[len(out)-1] += " " + validators.SkipHint(rules)
	}
	return out
}

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

// remark adds a warning for the client.
func (a *answer) remark(format string, args ...any) {
	a.remarks = append(a.remarks, validators.Plain(fmt.Sprintf(format, args...)))
}

// auditAnnotations go to the API server's audit log. It prefixes the keys with the webhook's name.
func (a *answer) auditAnnotations() map[string]string {
	out := map[string]string{}
	if line := a.line(validators.Audit); line != "" {
		out["audit"] = line
	}
	if line := a.line(validators.Warn); line != "" {
		out["warn"] = line
	}
	if a.trouble != nil {
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

// response is the answer as the API server expects it. A denial is 422 Invalid with a cause for each finding: kubectl shows the causes
// and drops the message, the KFP API shows the message and drops the rest. The skip hint is part of the last cause.
func (a *answer) response(k kind, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{
		UID: req.UID, Allowed: !a.denied(), Warnings: a.warnings(), AuditAnnotations: a.auditAnnotations(),
	}
	if response.Allowed {
		return response
	}
	details := &metav1.StatusDetails{Name: req.Name, Group: k.group, Kind: k.name}
	denied := a.with(validators.Deny)
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
