package webhook

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// TestAnswerInEachMode decides about one certain and one possible finding in each mode of their rule.
func TestAnswerInEachMode(t *testing.T) {
	certain := validators.Finding{Rule: "a", Certainty: validators.Certain, Field: "spec", Problem: "certain"}
	possible := validators.Finding{Rule: "a", Certainty: validators.Possible, Field: "spec", Problem: "possible"}
	for mode, want := range map[validators.Mode]struct {
		allowed          bool
		causes, warnings int
		audited          bool
	}{
		validators.Deny:  {allowed: false, causes: 1, warnings: 1},
		validators.Warn:  {allowed: true, warnings: 2},
		validators.Audit: {allowed: true, audited: true},
	} {
		policy := validators.Policy{Rules: map[string]validators.Mode{"a": mode, "b": validators.Off}}
		var a answer
		a.decide(policy, []validators.Finding{certain, possible})
		r := a.response(workflows, &admissionv1.AdmissionRequest{})
		causes := 0
		if r.Result != nil {
			causes = len(r.Result.Details.Causes)
		}
		audited := r.AuditAnnotations["audit"] != ""
		if r.Allowed != want.allowed || causes != want.causes || len(r.Warnings) != want.warnings || audited != want.audited {
			t.Errorf("%s: %+v", mode, r)
		}
		if !policy.On("a") || policy.On("b") || !policy.On("c") {
			t.Errorf("%s: only rule b must be off", mode)
		}
	}
}

// TestEveryDenialIsACause has twenty findings that deny and twenty that warn. No cause is dropped; surplus warnings are counted.
func TestEveryDenialIsACause(t *testing.T) {
	var findings []validators.Finding
	for i := range 20 {
		findings = append(findings,
			validators.Finding{Rule: "a", Certainty: validators.Certain, Field: fmt.Sprintf("spec.x[%d]", i), Problem: "wrong"},
			validators.Finding{Rule: "b", Certainty: validators.Possible, Problem: "may be wrong"})
	}
	var a answer
	a.decide(validators.Policy{}, findings)
	r := a.response(profiles, &admissionv1.AdmissionRequest{Name: "team-a"})
	if len(r.Result.Details.Causes) != 20 || strings.Count(r.Result.Message, "a: wrong") != 20 {
		t.Errorf("a denial is not in the result: %+v", r.Result)
	}
	if r.Result.Code != 422 || r.Result.Reason != metav1.StatusReasonInvalid {
		t.Errorf("the result is %d %s, want 422 Invalid", r.Result.Code, r.Result.Reason)
	}
	if len(r.Warnings) != maxWarnings+1 || r.Warnings[maxWarnings] != "and 15 more warnings of kfp-preflight" {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestWarningsAreBounded checks that all warnings together stay within 4096 characters, beyond which the API server truncates each
// one.
func TestWarningsAreBounded(t *testing.T) {
	for count := range 12 {
		for _, length := range []int{10, 1000, 5000} {
			a := answer{}
			for range count {
				a.addWarning("%s", strings.Repeat("x", length))
			}
			warnings, total := a.warnings(), 0
			for _, w := range warnings {
				total += len(w)
			}
			if len(warnings) > maxWarnings+1 || len(warnings) > 1 && total > 4096 {
				t.Errorf("%d warnings of %d characters: shown are %d with %d characters", count, length, len(warnings), total)
			}
			shown := len(warnings)
			if shown < count && warnings[shown-1] != fmt.Sprintf("and %d more warnings of kfp-preflight", count-shown+1) {
				t.Errorf("%d warnings of %d characters: the last one shown is %q", count, length, warnings[shown-1])
			}
		}
	}
}
