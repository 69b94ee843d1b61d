package webhook

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// testHandler is a handler whose lookups a test answers.
type testHandler struct {
	*handler
	api rest.Interface
	log *logBuffer
	// timeout is the API server's timeout for a review; 5s if empty.
	timeout string
}

// newTestHandler returns a handler of a kind. api answers its lookups. For Workflows, serveNoLimits and withControllerConfig come first. If
// api is nil, any other lookup fails the test.
func newTestHandler(t *testing.T, k kind, api http.HandlerFunc) testHandler {
	t.Helper()
	if api == nil {
		api = func(w http.ResponseWriter, r *http.Request) { t.Errorf("unexpected lookup of %s", r.URL) }
	}
	client := newAPIClient(t, func(w http.ResponseWriter, r *http.Request) {
		if k.name != workflows.name {
			api(w, r)
			return
		}
		if !serveNoLimits(w, r) {
			withControllerConfig(api)(w, r)
		}
	})
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
	h.lookups = newLookupClient(h, client)
	return testHandler{h, client, log, ""}
}

// newAPIClient returns a client of an API server that answers with api.
func newAPIClient(t *testing.T, api http.HandlerFunc) rest.Interface {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	client, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return client.RESTClient()
}

// newHandlerWithTransport returns a handler that sends its lookups through a transport.
func newHandlerWithTransport(tb testing.TB, k kind, config Config, api http.RoundTripper) *handler {
	tb.Helper()
	client, err := corev1client.NewForConfig(&rest.Config{Host: "https://nowhere", Transport: api, QPS: -1})
	if err != nil {
		tb.Fatal(err)
	}
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	h := &handler{kind: k, config: config, metrics: m, limiter: newMemoryLimiter(memoryLimit()), log: logr.Discard()}
	h.lookups = newLookupClient(h, client.RESTClient())
	return h
}

// newLookupClient returns a client for the lookups of a handler, as its configuration has it now.
func newLookupClient(h *handler, api rest.Interface) *lookup.Client {
	options := h.config.LookupOptions()
	options.Metrics, options.Log = h.metrics.lookups, h.log
	return lookup.NewClient(api, options)
}

// setLookupTimeout changes how long lookups may take.
func (h testHandler) setLookupTimeout(d time.Duration) {
	h.config.Lookups.Timeout.Duration = d
	h.lookups = newLookupClient(h.handler, h.api)
}

// post sends a body. answer is nil if the response is not an AdmissionReview.
func (h testHandler) post(t *testing.T, body string) (response *http.Response, answer *admissionv1.AdmissionResponse) {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/?timeout="+cmp.Or(h.timeout, "5s"), strings.NewReader(body)))
	response = recorder.Result()
	if response.StatusCode != http.StatusOK {
		return response, nil
	}
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil {
		t.Fatal(err)
	}
	if review.TypeMeta != reviewType {
		t.Errorf("the answer is of type %v", review.TypeMeta)
	}
	return response, review.Response
}

// lookupErrors are the failed lookups that the metrics count, by resource and reason.
func (h testHandler) lookupErrors(t *testing.T) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(h.metrics.lookups.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		if family.GetName() == "kfp_preflight_lookup_errors_total" {
			for _, m := range family.GetMetric() { // labels are sorted by name
				out[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// series lists the label sets of a metric's series.
func (h testHandler) series(t *testing.T, metric string) []string {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := register(registry, h.metrics.all()); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == metric {
				var pairs []string
				for _, pair := range m.GetLabel() {
					pairs = append(pairs, fmt.Sprintf("%s=%q", pair.GetName(), pair.GetValue()))
				}
				out = append(out, strings.Join(pairs, ","))
			}
		}
	}
	return out
}

// logBuffer collects log lines. It is safe for concurrent use: a lookup may outlive its review.
type logBuffer struct {
	lock sync.Mutex
	text strings.Builder
}

func (l *logBuffer) appendLine(_, args string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	fmt.Fprintln(&l.text, args)
}

// String returns the log so far.
func (l *logBuffer) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}
