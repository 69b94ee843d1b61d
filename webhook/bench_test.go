package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/floor"
	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

// newPayloadHandler returns a handler with all rules on, in a cluster that has everything that p depends on.
func newPayloadHandler(b testing.TB, p payload.Payload) *handler {
	b.Helper()
	config := DefaultConfig()
	config.Lookups.Remember.Duration = time.Hour
	k := workflows
	if p.Path == profiles.path {
		k = profiles
	}
	return newHandlerWithTransport(b, k, config, payloadCluster{p.Secrets})
}

// BenchmarkReview measures a whole review without its transport. For comparison it measures two handlers of controller-runtime that do
// less: handler=yes allows everything unseen, handler=argo-types only decodes the object.
func BenchmarkReview(b *testing.B) {
	for _, p := range payload.All() {
		for verdict, object := range map[string][]byte{"allowed": p.Allowed, "denied": p.Denied} {
			body := p.Review(object)
			handlers := map[string]http.Handler{"own": newPayloadHandler(b, p), "yes": floor.AllowAll()}
			if p.Kind.Kind == "Workflow" {
				handlers["argo-types"] = floor.DecodeArgoTypes()
			}
			for _, name := range []string{"own", "argo-types", "yes"} {
				if handlers[name] == nil || name != "own" && verdict == "denied" {
					continue
				}
				b.Run(fmt.Sprintf("payload=%s/verdict=%s/handler=%s", p.Name, verdict, name), func(b *testing.B) {
					benchmarkReview(b, handlers[name], p, body, verdict == "allowed" || name != "own")
				})
			}
		}
	}
}

// BenchmarkSteps measures Workflows of 50 to 5000 steps. The time per step must not grow with their number.
func BenchmarkSteps(b *testing.B) {
	for _, steps := range []int{50, 100, 200, 400, 800, 1600, 3200, 5000} {
		p := payload.Steps(steps)
		b.Run(fmt.Sprintf("steps=%d", steps), func(b *testing.B) {
			benchmarkReview(b, newPayloadHandler(b, p), p, p.Review(p.Allowed), true)
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*steps), "µs/step")
		})
	}
}

// benchmarkReview posts a body again and again. The object must be allowed or denied as expected, and without warnings.
func benchmarkReview(b *testing.B, h http.Handler, p payload.Payload, body []byte, allowed bool) {
	b.Helper()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	want := fmt.Appendf(nil, `"allowed":%v`, allowed)
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, p.Path+"?timeout=10s", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !bytes.Contains(w.Body.Bytes(), want) || bytes.Contains(w.Body.Bytes(), []byte(`"warnings"`)) {
			b.Fatalf("answered %d %.2000s", w.Code, w.Body)
		}
	}
}
