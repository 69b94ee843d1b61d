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

// answer is what a review came to.
type answer struct {
	findings []decided
	// passed says why the object was not judged; empty if it was.
	passed string
	// trouble is what kept us from judging, if it was our own.
	trouble error
	// skipped are the rules that the object's annotation switches off.
	skipped []string
	// remarks are what else the client should know.
	remarks []string
}

// decided is a finding and what its rule's mode makes of it.
type decided struct {
	validators.Finding
	effect validators.Mode
}

// letThrough turns trouble of ours into an answer: the object passes, and everybody is told.
func (a *answer) letThrough(why string, trouble error) {
	a.passed, a.trouble = why, trouble
}

// decide turns findings into effects.
func (a *answer) decide(policy validators.Policy, findings []validators.Finding) {
	for _, f := range findings {
		if effect := policy.Effect(f); effect != validators.Off {
			a.findings = append(a.findings, decided{f, effect})
		}
	}
}

func (a *answer) with(effect validators.Mode) []decided {
	var out []decided
	for _, f := range a.findings {
		if f.effect == effect {
			out = append(out, f)
		}
	}
	return out
}

func (a *answer) denied() bool { return len(a.with(validators.Deny)) > 0 }

// rules are the IDs of the rules with findings of an effect, each once.
func (a *answer) rules(effect validators.Mode) []string {
	var ids []string
	for _, f := range a.with(effect) {
		if !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	return ids
}

// message is the whole verdict of a denial on one line.
func (a *answer) message() string { return a.line(validators.Deny) }

// line has all findings of an effect on one line.
func (a *answer) line(effect validators.Mode) string {
	var messages []string
	for _, f := range a.with(effect) {
		messages = append(messages, f.Message())
	}
	return strings.Join(messages, " | ")
}

// The API server passes on 4096 characters of warnings, those of others included. Of what is over, it cuts each warning to 256.
const (
	maxWarnings    = 5
	maxWarningText = 3800
)

// warnings are for the client of an object that is let in, or in addition to a denial.
func (a *answer) warnings() []string {
	var out []string
	if a.trouble != nil {
		out = append(out, validators.Plain(fmt.Sprintf("kfp-preflight let this through unchecked: %.300s", a.trouble.Error())))
	}
	out = append(out, a.remarks...)
	for _, f := range a.with(validators.Warn) {
		out = append(out, f.Message())
	}
	if len(out) > 0 && len(out[0]) > maxWarningText {
		out[0] = out[0][:maxWarningText-3] + "..."
	}
	room := maxWarningText
	for i, warning := range out {
		if room -= len(warning); i == maxWarnings || room < 0 && i > 0 {
			return append(out[:i], fmt.Sprintf("and %d more warnings of kfp-preflight", len(out)-i))
		}
	}
	return out
}

// remark adds a line for the client.
func (a *answer) remark(format string, args ...any) {
	a.remarks = append(a.remarks, validators.Plain(fmt.Sprintf(format, args...)))
}

// auditAnnotations are what an audit log keeps beside the request. The API server puts the webhook's name before the keys.
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

// response is the answer in the API server's terms. A denial is 422 Invalid with a cause for each finding: kubectl shows
// the causes and drops the message, the KFP API shows the message and drops the rest.
func (a *answer) response(k kind, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{
		UID: req.UID, Allowed: !a.denied(), Warnings: a.warnings(), AuditAnnotations: a.auditAnnotations(),
	}
	if response.Allowed {
		return response
	}
	details := &metav1.StatusDetails{Name: req.Name, Group: k.group, Kind: k.name}
	for _, f := range a.with(validators.Deny) {
		details.Causes = append(details.Causes, metav1.StatusCause{Type: f.Type, Field: f.Field, Message: f.Message()})
	}
	response.Result = &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: a.message(), Details: details,
	}
	return response
}
