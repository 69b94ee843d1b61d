package webhook

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

// FuzzHandler posts bodies. Each must be answered with a review or a client error, and none may cause a panic.
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
		f.Add([]byte(reviewJSON(f, string(raw))))
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
				t.Fatalf("%s: the review panicked", name)
			}
			if denied := review.Response.Result; denied != nil && strings.ContainsAny(denied.Message, "\n\"&<>\\") {
				t.Errorf("%s: the message has characters that break clients: %s", name, denied.Message)
			}
		}
	})
}
