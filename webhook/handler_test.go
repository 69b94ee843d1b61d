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

// TestUnreviewableRequest posts what is no review, or none that can be judged. Nothing of it may be denied, or go uncounted.
func TestUnreviewableRequest(t *testing.T) {
	large := strings.Repeat("x", maxBody)
	for name, test := range map[string]struct {
		body    string
		status  int    // of HTTP; 200 means let through
		says    string // the error, or the warning
		counted string // the label of kfp_preflight_bad_requests_total or of passed
	}{
		"an empty body":                    {"", 400, "the body is empty", "empty"},
		"no JSON":                          {"apiVersion: admission.k8s.io/v1", 400, "not an AdmissionReview", "not_json"},
		"JSON of another kind":             {`{"kind":"Pod","apiVersion":"v1"}`, 400, "got apiVersion 'v1', kind 'Pod'", "not_a_review"},
		"a list":                           {`[]`, 400, "not an AdmissionReview", "not_json"},
		"an older review":                  {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a"}}`, 400, "expected apiVersion admission.k8s.io/v1", "not_a_review"},
		"a review without a request":       {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 400, "not an AdmissionReview with a request", "not_a_review"},
		"a review without a UID":           {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}`, 400, "not an AdmissionReview with a request", "not_a_review"},
		"7 MiB of nothing":                 {large + "x", 413, "larger than 7 MiB", "too_large"},
		"a review of more than 7 MiB":      {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"uid","object":{"a":"` + large + `"}}}`, 200, "larger than 7 MiB", passTooLarge},
		"an object of another kind":        {reviewJSON(t, profileWithCPUQuota), 200, "judges Workflow.argoproj.io, not Profile.kubeflow.org", passKind},
		"no object":                        {reviewJSON(t, workflowWithSecret, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = nil }), 200, "can't be decoded", passUnreadable},
		"a step with an unknown field":     {reviewJSON(t, workflowJSON(`{"steps":[[{"name":"a","novel":1}]]}`)), 200, `unknown field 'novel'`, passUnreadable},
		"an amount with a tag":             {reviewJSON(t, workflowJSON(`{"container":{"resources":{"limits":{"cpu":"{{x}}"}}}}`)), 200, "quantities must match", passUnreadable},
		"templates within templates":       {reviewJSON(t, workflowJSON(strings.Repeat(`{"steps":[[{"name":"a","inline":`, 1000)+"{}"+strings.Repeat("}]]}", 1000))), 200, "nested 4", passUnreadable},
		"templates that are no list":       {reviewJSON(t, `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"a"},"spec":{"templates":7}}`), 200, "can't be decoded", passUnreadable},
		"a plugin template with two names": {reviewJSON(t, workflowJSON(`{"plugin":{"a":1,"b":2}}`)), 200, "can't be decoded", passUnreadable},
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
				if !strings.Contains(body.String(), test.says) {
					t.Errorf("answered %s", body)
				}
				if got := testutil.ToFloat64(h.metrics.badRequests.WithLabelValues(test.counted)); got != 1 {
					t.Errorf("counted %v times", got)
				}
				return
			}
			if !answer.Allowed || answer.UID != "uid" || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.says) {
				t.Errorf("answered %+v, want a warning with %s", answer, test.says)
			}
			if answer.AuditAnnotations["unchecked"] != test.counted {
				t.Errorf("audit annotations %v", answer.AuditAnnotations)
			}
			if got := testutil.CollectAndCount(h.metrics.reviews); got != 1 {
				t.Errorf("%d series of reviews", got)
			}
			if !strings.Contains(h.log.String(), `"reason"="`+test.counted+`"`) {
				t.Errorf("log: %s", h.log)
			}
		})
	}
}

// TestTooManyValues has a Workflow that is small on the wire and large in memory.
func TestTooManyValues(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	object := strings.Replace(workflowWithSecret, `"templates":[`, `"templates":[`+strings.Repeat("{},", decodecost.MaxValues), 1)
	_, answer := h.post(t, reviewJSON(t, object))
	if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "values, more than") {
		t.Errorf("answered %.300v", answer)
	}
	if got := testutil.CollectAndCount(h.metrics.reviews); got == 0 {
		t.Error("not counted")
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

// TestSlowBody: who sends a review byte by byte is cut off when its time is up.
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
				t.Error("half a review was answered")
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
	}
}

// TestPassesWithoutJudging has reviews that are let in without a look at the rules, and without a word.
func TestPassesWithoutJudging(t *testing.T) {
	deleting := strings.Replace(profileWithCPUQuota, `"name":"team-a"`, `"name":"team-a","deletionTimestamp":"2026-01-01T00:00:00Z"`, 1)
	update := func(old string) func(*admissionv1.AdmissionRequest) {
		return func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.OldObject.Raw = admissionv1.Update, []byte(old)
		}
	}
	for name, test := range map[string]struct {
		kind kind
		body string
		why  string
	}{
		"an update of a Workflow":         {workflows, reviewJSON(t, workflowWithSecret, update(workflowWithSecret)), passOperation},
		"a deletion":                      {profiles, reviewJSON(t, profileWithCPUQuota, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }), passOperation},
		"a status":                        {profiles, reviewJSON(t, profileWithCPUQuota, update(deleting), func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" }), passOperation},
		"a Profile with the same quota":   {profiles, reviewJSON(t, profileWithCPUQuota, update(strings.Replace(profileWithCPUQuota, `"cpu":2`, `"cpu":"2000m"`, 1))), passUnchanged},
		"a Profile that is being deleted": {profiles, reviewJSON(t, profileWithCPUQuota, update(deleting)), passDeleting},
		"its last update":                 {profiles, reviewJSON(t, deleting, update(`{}`)), passDeleting},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHandler(t, test.kind, nil)
			_, answer := h.post(t, test.body)
			if !answer.Allowed || len(answer.Warnings) > 0 || answer.Result != nil || answer.AuditAnnotations != nil {
				t.Errorf("answered %+v", answer)
			}
			if !strings.Contains(h.log.String(), `"passed"="`+test.why+`"`) {
				t.Errorf("log: %s", h.log)
			}
		})
	}
}

func TestPanicAdmitsUnchecked(t *testing.T) {
	k := workflows
	k.decodeFast = func([]byte) (*admissionv1.AdmissionRequest, subject, error) { panic("not read quickly") }
	k.decode = func(*admissionv1.AdmissionRequest) (subject, error) { return panickingSubject{}, nil }
	h := newTestHandler(t, k, nil)
	_, answer := h.post(t, reviewJSON(t, workflowWithSecret))
	if !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("answered %+v", answer)
	}
	if got := testutil.ToFloat64(h.metrics.reviews.WithLabelValues("Workflow", "CREATE", "allow", passPanic, "false")); got != 1 {
		t.Errorf("counted %v times", got)
	}
	if log := h.log.String(); !strings.Contains(log, "no such luck") || !strings.Contains(log, "handler_test.go") {
		t.Errorf("the log has no panic with its place: %s", log)
	}
}

type panickingSubject struct{}

func (panickingSubject) object() metav1.Object { return &metav1.ObjectMeta{} }

func (panickingSubject) passes() string { return "" }

func (panickingSubject) mode() (validators.Mode, string) { return "", "" }

func (panickingSubject) judge(validators.Facts, Config, func(string) bool) []validators.Finding {
	panic("no such luck")
}

func TestSkipAnnotation(t *testing.T) {
	h := newTestHandler(t, profiles, nil)
	_, answer := h.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`,
		`"name":"team-a","annotations":{"kfp-preflight.dev/skip":"profile-quota-compute, no-such-rule"}`, 1)))
	if !answer.Allowed || answer.AuditAnnotations["skipped"] != "profile-quota-compute" {
		t.Errorf("answered %+v", answer)
	}
	if len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "names no rule with 'no-such-rule'; the rules are profile-quota-compute, profile-quota-invalid, workflow-quota-compute, workflow-reference-missing, workflow-secret-missing") {
		t.Errorf("warnings %q", answer.Warnings)
	}
	if got := testutil.ToFloat64(h.metrics.skips.WithLabelValues("profile-quota-compute")); got != 1 {
		t.Errorf("counted %v times", got)
	}
}

func TestIgnoreSkips(t *testing.T) {
	h := newTestHandler(t, profiles, nil)
	h.config.IgnoreSkips = true
	body := strings.Replace(strings.Replace(reviewJSON(t, profileWithCPUQuota), `"cpu":2`, `"cpus":2`, 1), `"name":"team-a"`,
		`"name":"team-a","annotations":{"kfp-preflight.dev/skip":"profile-quota-invalid,profile-quota-compute"}`, 1)
	if _, answer := h.post(t, body); answer.Allowed || len(answer.AuditAnnotations) > 0 {
		t.Errorf("answered %+v", answer)
	}
}

// TestLabelIsNoMode: what is no mode counts for nothing, and is told.
func TestUnknownModeInLabel(t *testing.T) {
	h := newTestHandler(t, profiles, serveEmptyCluster)
	_, answer := h.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`, `"name":"team-a","labels":{"kfp-preflight.dev/mode":"Warn"}`, 1)))
	if answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "'Warn', which is none of deny, warn, audit and off") {
		t.Errorf("answered %+v", answer)
	}
}
