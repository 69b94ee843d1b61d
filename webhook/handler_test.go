package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// testHandler is a handler over an API server that a test plays.
type testHandler struct {
	*handler
	api rest.Interface
	log *logBuffer
	// timeout is how long the caller waits; 5s if empty.
	timeout string
}

// logBuffer is a log, which lookups that outlive their review may still write to.
type logBuffer struct {
	lock sync.Mutex
	text strings.Builder
}

func (l *logBuffer) appendLine(_, args string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	fmt.Fprintln(&l.text, args)
}

// String is the log so far.
func (l *logBuffer) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}

// setLookupTimeout sets how long lookups may take.
func (b testHandler) setLookupTimeout(d time.Duration) {
	b.config.Lookups.Timeout.Duration = d
	b.lookups = newLookupClient(b.handler, b.api)
}

// newLookupClient returns the lookups of a handler.
func newLookupClient(h *handler, api rest.Interface) *lookup.Client {
	options := h.config.LookupOptions()
	options.Metrics, options.Log = h.metrics.lookups, h.log
	return lookup.NewClient(api, options)
}

// newTestHandler makes a handler of a kind. api answers its lookups; nil for none expected.
func newTestHandler(t *testing.T, k kind, api http.HandlerFunc) testHandler {
	t.Helper()
	if api == nil {
		api = func(w http.ResponseWriter, r *http.Request) { t.Errorf("unexpected lookup of %s", r.URL) }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.name == workflows.name && serveNoLimits(w, r) {
			return
		}
		api(w, r)
	}))
	t.Cleanup(server.Close)
	client, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Lookups.Timeout.Duration = 300 * time.Millisecond
	log := &logBuffer{}
	logger := funcr.New(log.appendLine, funcr.Options{Verbosity: 1})
	config.Lookups.Remember.Duration = time.Minute
	h := &handler{kind: k, config: config, metrics: m, limiter: newMemoryLimiter(memoryLimit()), log: logger}
	h.lookups = newLookupClient(h, client.RESTClient())
	return testHandler{h, client.RESTClient(), log, ""}
}

// serveNoLimits answers that a namespace has neither quotas nor LimitRanges, if that is what is asked.
func serveNoLimits(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case strings.HasSuffix(r.URL.Path, "/resourcequotas"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"ResourceQuotaList","items":[]}`)
	case strings.HasSuffix(r.URL.Path, "/limitranges"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"LimitRangeList","items":[]}`)
	default:
		return false
	}
	return true
}

// post sends a body and returns the response and, if it is one, the answer to a review.
func (b testHandler) post(t *testing.T, body string) (*http.Response, *admissionv1.AdmissionResponse) {
	t.Helper()
	recorder := httptest.NewRecorder()
	b.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/?timeout="+cmp.Or(b.timeout, "5s"), strings.NewReader(body)))
	response := recorder.Result()
	if response.StatusCode != http.StatusOK {
		return response, nil
	}
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil {
		t.Fatal(err)
	}
	if review.TypeMeta != reviewType {
		t.Errorf("answered as %v", review.TypeMeta)
	}
	return response, review.Response
}

// reviewJSON wraps an object, in JSON or as a change of the request around it, into an AdmissionReview.
func reviewJSON(t *testing.T, object string, changes ...func(*admissionv1.AdmissionRequest)) string {
	t.Helper()
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal([]byte(object), &meta); err != nil {
		t.Fatal(err)
	}
	gvk := meta.GroupVersionKind()
	request := &admissionv1.AdmissionRequest{
		UID: "uid", Operation: admissionv1.Create, Name: meta.Name, Namespace: meta.Namespace,
		Kind: metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind},
	}
	request.Object.Raw = []byte(object)
	for _, change := range changes {
		change(request)
	}
	out, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: reviewType, Request: request})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const (
	profileWithCPUQuota = `{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"team-a"},"spec":{"resourceQuotaSpec":{"hard":{"cpu":2}}}}`
	workflowWithSecret      = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"run","namespace":"team-a"},"spec":{"entrypoint":"main",
		"templates":[{"name":"main","container":{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"credentials","key":"token"}}}]}}]}}`
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
			b := newTestHandler(t, workflows, nil)
			response, answer := b.post(t, test.body)
			if response.StatusCode != test.status {
				t.Fatalf("status %d, want %d", response.StatusCode, test.status)
			}
			if test.status != 200 {
				body := new(bytes.Buffer)
				_, _ = body.ReadFrom(response.Body)
				if !strings.Contains(body.String(), test.says) {
					t.Errorf("answered %s", body)
				}
				if got := testutil.ToFloat64(b.metrics.badRequests.WithLabelValues(test.counted)); got != 1 {
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
			if got := testutil.CollectAndCount(b.metrics.reviews); got != 1 {
				t.Errorf("%d series of reviews", got)
			}
			if !strings.Contains(b.log.String(), `"reason"="`+test.counted+`"`) {
				t.Errorf("log: %s", b.log)
			}
		})
	}
}

func workflowJSON(template string) string {
	return `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"a","namespace":"b"},"spec":{"entrypoint":"main","templates":[` + template + `]}}`
}

func TestMethodNotAllowed(t *testing.T) {
	b := newTestHandler(t, workflows, nil)
	recorder := httptest.NewRecorder()
	b.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d", recorder.Code)
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
			b := newTestHandler(t, test.kind, nil)
			_, answer := b.post(t, test.body)
			if !answer.Allowed || len(answer.Warnings) > 0 || answer.Result != nil || answer.AuditAnnotations != nil {
				t.Errorf("answered %+v", answer)
			}
			if !strings.Contains(b.log.String(), `"passed"="`+test.why+`"`) {
				t.Errorf("log: %s", b.log)
			}
		})
	}
}

func TestPanicAdmitsUnchecked(t *testing.T) {
	k := workflows
	k.decodeFast = func([]byte) (*admissionv1.AdmissionRequest, subject, error) { panic("not read quickly") }
	k.decode = func(*admissionv1.AdmissionRequest) (subject, error) { return panickingSubject{}, nil }
	b := newTestHandler(t, k, nil)
	_, answer := b.post(t, reviewJSON(t, workflowWithSecret))
	if !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("answered %+v", answer)
	}
	if got := testutil.ToFloat64(b.metrics.reviews.WithLabelValues("Workflow", "CREATE", "allow", passPanic, "false")); got != 1 {
		t.Errorf("counted %v times", got)
	}
	if log := b.log.String(); !strings.Contains(log, "no such luck") || !strings.Contains(log, "handler_test.go") {
		t.Errorf("the log has no panic with its place: %s", log)
	}
}

type panickingSubject struct{}

func (panickingSubject) object() metav1.Object           { return &metav1.ObjectMeta{} }
func (panickingSubject) passes() string                  { return "" }
func (panickingSubject) mode() (validators.Mode, string) { return "", "" }
func (panickingSubject) judge(validators.Facts, Config, func(string) bool) []validators.Finding {
	panic("no such luck")
}

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

func TestSkipAnnotation(t *testing.T) {
	b := newTestHandler(t, profiles, nil)
	_, answer := b.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`,
		`"name":"team-a","annotations":{"kfp-preflight.dev/skip":"profile-quota-compute, no-such-rule"}`, 1)))
	if !answer.Allowed || answer.AuditAnnotations["skipped"] != "profile-quota-compute" {
		t.Errorf("answered %+v", answer)
	}
	if len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "names no rule with 'no-such-rule'; the rules are profile-quota-compute, profile-quota-invalid, workflow-quota-compute, workflow-reference-missing, workflow-secret-missing") {
		t.Errorf("warnings %q", answer.Warnings)
	}
	if got := testutil.ToFloat64(b.metrics.skips.WithLabelValues("profile-quota-compute")); got != 1 {
		t.Errorf("counted %v times", got)
	}
}

func TestTimeLeft(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"": 9 * time.Second, "?timeout=5s": 4500 * time.Millisecond, "?timeout=1s": 900 * time.Millisecond, "?timeout=soon": 9 * time.Second, "?timeout=-1s": 9 * time.Second,
	} {
		if got := timeLeft(httptest.NewRequest(http.MethodPost, "/"+query, nil)); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

// TestCacheMayHit judges a run of KFP v2 the first step of which may be cached.
func TestCacheMayHit(t *testing.T) {
	text, err := os.ReadFile("../testdata/workflow/workflow-secret-missing/deny-kfp-v2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	object, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, mayHit := range []bool{false, true} {
		b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) { lookuptest.NotFound(w) })
		b.config.KFP.CacheMayHit = mayHit
		_, answer := b.post(t, reviewJSON(t, string(object)))
		if answer.Allowed || strings.Contains(answer.Result.Message, "'dataset'") == mayHit || (len(answer.Warnings) == 1) != mayHit {
			t.Errorf("where the cache may hit (%v): %+v", mayHit, answer)
		}
	}
}

// TestExempt has the same denial for those who are exempt and for others.
func TestExempt(t *testing.T) {
	for name, exempt := range map[string]Exemptions{
		"the namespace": {Namespaces: []string{"team-a"}}, "the user": {Users: []string{"someone"}}, "a group": {Groups: []string{"people"}},
	} {
		for _, k := range []struct {
			kind   kind
			object string
		}{{profiles, profileWithCPUQuota}, {workflows, workflowWithSecret}} {
			b := newTestHandler(t, k.kind, func(w http.ResponseWriter, _ *http.Request) { lookuptest.NotFound(w) })
			body := strings.Replace(reviewJSON(t, k.object), `"uid":`, `"userInfo":{"username":"someone","groups":["others","people"]},"uid":`, 1)
			b.config.Exempt = exempt
			if _, answer := b.post(t, body); !answer.Allowed || len(answer.Warnings) > 0 {
				t.Errorf("%s, %s: %+v", name, k.kind.name, answer)
			}
			b.config.Exempt = Exemptions{Namespaces: []string{"team-b"}, Users: []string{"people"}, Groups: []string{"someone"}}
			if _, answer := b.post(t, body); answer.Allowed && len(answer.Warnings) == 0 {
				t.Errorf("not %s, %s: %+v", name, k.kind.name, answer)
			}
		}
	}
}

func TestIgnoreSkips(t *testing.T) {
	b := newTestHandler(t, profiles, nil)
	b.config.IgnoreSkips = true
	body := strings.Replace(strings.Replace(reviewJSON(t, profileWithCPUQuota), `"cpu":2`, `"cpus":2`, 1), `"name":"team-a"`,
		`"name":"team-a","annotations":{"kfp-preflight.dev/skip":"profile-quota-invalid,profile-quota-compute"}`, 1)
	if _, answer := b.post(t, body); answer.Allowed || len(answer.AuditAnnotations) > 0 {
		t.Errorf("answered %+v", answer)
	}
}
