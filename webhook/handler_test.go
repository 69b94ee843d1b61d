package webhook

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/decodecost"
)

// TestUnreviewableRequest posts bodies that are not an AdmissionReview, and objects that can't be judged. None may be denied, and all are
// counted.
func TestUnreviewableRequest(t *testing.T) {
	const (
		reviewKind  = `"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"`
		noRequest   = "not an AdmissionReview with a request"
		unreadable  = "can't be decoded"
		wrongObject = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"a"},"spec":{"templates":7}}`
	)
	large := strings.Repeat("x", maxBody)
	nested := strings.Repeat(`{"steps":[[{"name":"a","inline":`, 1000) + "{}" + strings.Repeat("}]]}", 1000)
	withoutObject := func(r *admissionv1.AdmissionRequest) { r.Object.Raw = nil }
	for name, test := range map[string]struct {
		body    string
		status  int    // HTTP status; 200 means that the object is admitted
		message string // part of the error, or of the warning
		reason  string // label of kfp_preflight_bad_requests_total, or passed
	}{
		"an empty body":        {"", 400, "the body is empty", "empty"},
		"not JSON":             {"apiVersion: admission.k8s.io/v1", 400, "not an AdmissionReview", "not_json"},
		"JSON of another kind": {`{"kind":"Pod","apiVersion":"v1"}`, 400, "got apiVersion 'v1', kind 'Pod'", "not_a_review"},
		"a list":               {`[]`, 400, "not an AdmissionReview", "not_json"},
		"an older review": {
			`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a"}}`,
			400, "expected apiVersion admission.k8s.io/v1", "not_a_review",
		},
		"a review without a request": {"{" + reviewKind + "}", 400, noRequest, "not_a_review"},
		"a review without a UID":     {"{" + reviewKind + `,"request":{}}`, 400, noRequest, "not_a_review"},
		"more than 7 MiB of text":    {large + "x", 413, "larger than 7 MiB", "too_large"},
		"a review of more than 7 MiB": {
			"{" + reviewKind + `,"request":{"uid":"uid","object":{"a":"` + large + `"}}}`, 200, "larger than 7 MiB", passTooLarge,
		},
		"an object of another kind": {
			reviewJSON(t, profileWithCPUQuota), 200, "judges Workflow.argoproj.io, not Profile.kubeflow.org", passKind,
		},
		"no object": {reviewJSON(t, workflowWithSecret, withoutObject), 200, unreadable, passUnreadable},
		"a step with an unknown field": {
			reviewJSON(t, workflowJSON(`{"steps":[[{"name":"a","novel":1}]]}`)), 200, `unknown field 'novel'`, passUnreadable,
		},
		"a quantity with a tag": {
			reviewJSON(t, workflowJSON(`{"container":{"resources":{"limits":{"cpu":"{{x}}"}}}}`)),
			200, "quantities must match", passUnreadable,
		},
		"templates within templates":       {reviewJSON(t, workflowJSON(nested)), 200, "nested 4", passUnreadable},
		"templates that are not a list":    {reviewJSON(t, wrongObject), 200, unreadable, passUnreadable},
		"a plugin template with two names": {reviewJSON(t, workflowJSON(`{"plugin":{"a":1,"b":2}}`)), 200, unreadable, passUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHandler(t, workflows, nil)
			response, answer := h.post(t, test.body)
			if response.StatusCode != test.status {
				t.Fatalf("status %d, want %d", response.StatusCode, test.status)
			}
			if test.status != 200 {
				body := new(bytes.Buffer)
				_, _ = body.ReadFrom(response.Body)
				if !strings.Contains(body.String(), test.message) {
					t.Errorf("answered %s, want %s", body, test.message)
				}
				if got := testutil.ToFloat64(h.metrics.badRequests.WithLabelValues(test.reason)); got != 1 {
					t.Errorf("counted %v times", got)
				}
				return
			}
			if !answer.Allowed || answer.UID != "uid" || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.message) {
				t.Errorf("answered %+v, want a warning with %s", answer, test.message)
			}
			if answer.AuditAnnotations["unchecked"] != test.reason {
				t.Errorf("the audit annotations are %v", answer.AuditAnnotations)
			}
			if got := testutil.CollectAndCount(h.metrics.reviews); got != 1 {
				t.Errorf("the review is counted in %d series", got)
			}
			if !strings.Contains(h.log.String(), `"reason"="`+test.reason+`"`) {
				t.Errorf("the log is %s", h.log)
			}
		})
	}
}

// TestTooManyValues reviews a Workflow that is small as JSON and large in memory.
func TestTooManyValues(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	object := strings.Replace(workflowWithSecret, `"templates":[`, `"templates":[`+strings.Repeat("{},", decodecost.MaxValues), 1)
	_, answer := h.post(t, reviewJSON(t, object))
	if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "values, more than") {
		t.Errorf("answered %.300v", answer)
	}
	if got := testutil.CollectAndCount(h.metrics.reviews); got == 0 {
		t.Error("the review is not counted")
	}
}

func TestMethodNotAllowed(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d", recorder.Code)
	}
}

// TestSlowBodyTimesOut sends a review byte by byte. The request ends when its timeout has passed.
func TestSlowBodyTimesOut(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	body, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	go func() {
		for {
			if _, err := feed.Write([]byte(" ")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := http.Post(server.URL+"?timeout=200ms", "application/json", body); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				t.Error("an incomplete review was answered")
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the handler still waits for the body")
	}
}

// TestPassesWithoutJudging reviews requests that no rule is asked about. They are admitted without warnings and annotations.
func TestPassesWithoutJudging(t *testing.T) {
	deleting := strings.Replace(profileWithCPUQuota, `"name":"team-a"`, `"name":"team-a","deletionTimestamp":"2026-01-01T00:00:00Z"`, 1)
	sameQuota := strings.Replace(profileWithCPUQuota, `"cpu":2`, `"cpu":"2000m"`, 1)
	toDelete := func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }
	toStatus := func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" }
	update := func(old string) func(*admissionv1.AdmissionRequest) {
		return func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.OldObject.Raw = admissionv1.Update, []byte(old)
		}
	}
	for name, test := range map[string]struct {
		kind   kind
		body   string
		passed string
	}{
		"an update of a Workflow":          {workflows, reviewJSON(t, workflowWithSecret, update(workflowWithSecret)), passOperation},
		"a deletion":                       {profiles, reviewJSON(t, profileWithCPUQuota, toDelete), passOperation},
		"an update of the status":          {profiles, reviewJSON(t, profileWithCPUQuota, update(deleting), toStatus), passOperation},
		"a Profile with the same quota":    {profiles, reviewJSON(t, profileWithCPUQuota, update(sameQuota)), passUnchanged},
		"a Profile that is being deleted":  {profiles, reviewJSON(t, profileWithCPUQuota, update(deleting)), passDeleting},
		"an update that sets the deletion": {profiles, reviewJSON(t, deleting, update(`{}`)), passDeleting},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHandler(t, test.kind, nil)
			_, answer := h.post(t, test.body)
			if !answer.Allowed || len(answer.Warnings) > 0 || answer.Result != nil || answer.AuditAnnotations != nil {
				t.Errorf("answered %+v", answer)
			}
			if !strings.Contains(h.log.String(), `"passed"="`+test.passed+`"`) {
				t.Errorf("the log is %s", h.log)
			}
		})
	}
}

// TestPanicAdmitsUnchecked panics in the fast decoder, which falls back to the other one, and in the rules.
func TestPanicAdmitsUnchecked(t *testing.T) {
	k := workflows
	k.decodeFast = func([]byte) (*admissionv1.AdmissionRequest, subject, error) { panic("decodeFast") }
	k.decode = func(*admissionv1.AdmissionRequest) (subject, error) { return panickingSubject{}, nil }
	h := newTestHandler(t, k, nil)
	_, answer := h.post(t, reviewJSON(t, workflowWithSecret))
	if !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("answered %+v", answer)
	}
	if got := testutil.ToFloat64(h.metrics.reviews.WithLabelValues("Workflow", "CREATE", "allow", passPanic, "false")); got != 1 {
		t.Errorf("counted %v times", got)
	}
	if log := h.log.String(); !strings.Contains(log, "judge panicked") || !strings.Contains(log, "handler_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", log)
	}
}

// panickingSubject panics when it is judged.
type panickingSubject struct{}

func (panickingSubject) object() metav1.Object { return &metav1.ObjectMeta{} }

func (panickingSubject) passReason() string { return "" }

func (panickingSubject) mode() (validators.Mode, string) { return "", "" }

func (panickingSubject) judge(validators.Facts, Config, func(string) bool) []validators.Finding {
	panic("judge panicked")
}

// TestSkipAnnotation names a rule and something else. The rule is skipped and counted; the other name is a warning.
func TestSkipAnnotation(t *testing.T) {
	h := newTestHandler(t, profiles, nil)
	_, answer := h.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`,
		`"name":"team-a","annotations":{"kfp-preflight.dev/skip":"profile-quota-compute, no-such-rule"}`, 1)))
	if !answer.Allowed || answer.AuditAnnotations["skipped"] != "profile-quota-compute" {
		t.Errorf("answered %+v", answer)
	}
	const message = "has 'no-such-rule', which is not a rule; the rules are profile-quota-compute, profile-quota-invalid, " +
		"workflow-quota-compute, workflow-reference-missing, workflow-secret-missing"
	if len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], message) {
		t.Errorf("the warnings are %q, want %s", answer.Warnings, message)
	}
	if got := testutil.ToFloat64(h.metrics.skips.WithLabelValues("profile-quota-compute")); got != 1 {
		t.Errorf("counted %v times", got)
	}
}

// TestIgnoreSkips has rules in the annotation that the configuration does not let objects skip.
func TestIgnoreSkips(t *testing.T) {
	h := newTestHandler(t, profiles, nil)
	h.config.IgnoreSkips = true
	body := strings.Replace(strings.Replace(reviewJSON(t, profileWithCPUQuota), `"cpu":2`, `"cpus":2`, 1), `"name":"team-a"`,
		`"name":"team-a","annotations":{"kfp-preflight.dev/skip":"profile-quota-invalid,profile-quota-compute"}`, 1)
	if _, answer := h.post(t, body); answer.Allowed || len(answer.AuditAnnotations) > 0 {
		t.Errorf("answered %+v", answer)
	}
}

// TestUnknownModeInLabel has a label with a value that is not a mode. It is ignored, with a warning.
func TestUnknownModeInLabel(t *testing.T) {
	h := newTestHandler(t, profiles, serveEmptyCluster)
	labelled := strings.Replace(profileWithCPUQuota, `"name":"team-a"`, `"name":"team-a","labels":{"kfp-preflight.dev/mode":"Warn"}`, 1)
	_, answer := h.post(t, reviewJSON(t, labelled))
	const message = "'Warn', which is none of deny, warn, audit and off"
	if answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], message) {
		t.Errorf("answered %+v", answer)
	}
}
