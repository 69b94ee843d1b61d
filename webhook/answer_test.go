package webhook

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// TestAnswerInEachMode has the same two findings under every mode.
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
		if r.Allowed != want.allowed || causes != want.causes || len(r.Warnings) != want.warnings || (r.AuditAnnotations["audit"] != "") != want.audited {
			t.Errorf("%s: %+v", mode, r)
		}
		if !policy.On("a") || policy.On("b") || !policy.On("c") {
			t.Error("only a rule that is off is not asked")
		}
	}
}

// TestEveryDenialIsACause has more findings than fit: all that deny are causes, the warnings are bounded and say so.
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
	if len(r.Result.Details.Causes) != 20 || strings.Count(r.Result.Message, "a: wrong") != 20 || r.Result.Code != 422 || r.Result.Reason != metav1.StatusReasonInvalid {
		t.Errorf("%+v", r.Result)
	}
	if len(r.Warnings) != maxWarnings+1 || r.Warnings[maxWarnings] != "and 15 more warnings of kfp-preflight" {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestManyWarnings: the API server cuts each warning when all of them are too long together.
func TestWarningsAreBounded(t *testing.T) {
	for count := range 12 {
		for _, length := range []int{10, 1000, 5000} {
			a := answer{}
			for range count {
				a.remark("%s", strings.Repeat("x", length))
			}
			warnings, all := a.warnings(), 0
			for _, w := range warnings {
				all += len(w)
			}
			if len(warnings) > maxWarnings+1 || len(warnings) > 1 && all > 4096 {
				t.Errorf("%d warnings of %d characters: %d of them, with %d", count, length, len(warnings), all)
			}
			if shown := len(warnings); shown < count && warnings[shown-1] != fmt.Sprintf("and %d more warnings of kfp-preflight", count-shown+1) {
				t.Errorf("the last is %s", warnings[shown-1])
			}
		}
	}
}
