package webhook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	sigsyaml "sigs.k8s.io/yaml"
)

// emptyClusterTransport is an API server without anything in it.
type emptyClusterTransport struct{}

func (emptyClusterTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	serveEmptyCluster(w, r)
	return w.Result(), nil
}

// newHandlerWithTransport is a handler over an API server without a network.
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

// FuzzHandler posts bodies: each is answered, with a review or with a plain error, and never by way of a panic.
func FuzzHandler(f *testing.F) {
	handlers := map[string]*handler{}
	for _, k := range []kind{profiles, workflows} {
		handlers[k.name] = newHandlerWithTransport(f, k, DefaultConfig(), emptyClusterTransport{})
	}
	f.Add([]byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"a"}}`))
	files, err := filepath.Glob("../testdata/*/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		documents := strings.Split(string(text), "\n---\n")
		raw, err := sigsyaml.YAMLToJSON([]byte(documents[len(documents)-1]))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(asReview(f, raw))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, h := range handlers {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/?timeout=5s", strings.NewReader(string(body))))
			if w.Code >= 400 && w.Code < 500 {
				continue
			}
			var review admissionv1.AdmissionReview
			if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || w.Code != http.StatusOK || review.Response == nil {
				t.Fatalf("%s: answered %d %s", name, w.Code, w.Body)
			}
			if review.Response.AuditAnnotations["unchecked"] == passPanic {
				t.Fatalf("%s: a panic", name)
			}
			if denied := review.Response.Result; denied != nil && strings.ContainsAny(denied.Message, "\n\"&<>\\") {
				t.Errorf("%s: a message that clients can't show: %s", name, denied.Message)
			}
		}
	})
}

func asReview(f *testing.F, raw []byte) []byte {
	f.Helper()
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(raw, &meta); err != nil {
		f.Fatal(err)
	}
	gvk := meta.GroupVersionKind()
	request := &admissionv1.AdmissionRequest{
		UID: "uid", Operation: admissionv1.Create, Name: meta.Name, Namespace: meta.Namespace,
		Kind: metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind},
	}
	request.Object.Raw = raw
	out, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: reviewType, Request: request})
	if err != nil {
		f.Fatal(err)
	}
	return out
}

// FuzzConfig reads configurations: what is taken is printed as something that reads the same.
func FuzzConfig(f *testing.F) {
	f.Add("apiVersion: kfp-preflight.dev/v1alpha1\nkind: Configuration\n")
	f.Add("apiVersion: kfp-preflight.dev/v1alpha1\nkind: Configuration\nmode: off\nrules: {profile-quota-compute: warn}\npossible: audit\nunchecked: deny\n" +
		"exempt: {namespaces: [a], users: [b], groups: [c]}\nignoreSkips: true\nkfp: {databaseCharset: utf8mb4, cacheMayHit: true}\n" +
		"argo: {namespace: a, configMap: b, instances: {x: {namespace: c}}}\nlookups: {timeout: 1s, remember: 0s}\nevents: true\n")
	f.Fuzz(func(t *testing.T, text string) {
		config, err := parseConfig([]byte(text))
		if err != nil {
			return
		}
		printed, err := sigsyaml.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig(printed)
		if err != nil || !reflect.DeepEqual(config, again) {
			t.Errorf("it is printed as\n%s\nwhich reads as %+v, %v", printed, again, err)
		}
	})
}
