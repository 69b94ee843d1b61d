package webhook

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestFailedLookupAdmits has API servers that fail in different ways. The object is admitted in time, and the failure is a warning, a log
// line and a count.
func TestFailedLookupAdmits(t *testing.T) {
	for reason, fail := range map[string]http.HandlerFunc{
		"timeout":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { lookuptest.Error(w, 403, metav1.StatusReasonForbidden) },
		"throttled": func(w http.ResponseWriter, _ *http.Request) {
			lookuptest.Error(w, 429, metav1.StatusReasonTooManyRequests)
		},
		"server_error": func(w http.ResponseWriter, r *http.Request) {
			lookuptest.Error(w, 500, metav1.StatusReasonInternalError)
		},
		"connection": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "99") },
	} {
		for _, test := range []struct {
			kind             kind
			object, resource string
		}{
			{workflows, workflowWithSecret, "secrets"},
			{profiles, profileWithCPUQuota, "configmaps"},
			{profiles, profileWithCPUQuota, "limitranges"},
		} {
			t.Run(reason+"/"+test.resource, func(t *testing.T) {
				h := newTestHandler(t, test.kind, func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, test.resource) {
						fail(w, r)
						return
					}
					lookuptest.Object(w, r, configMapWith(nil))
				})
				started := time.Now()
				_, answer := h.post(t, reviewJSON(t, test.object))
				if took := time.Since(started); took > 2*time.Second {
					t.Errorf("the answer took %v", took)
				}
				if !answer.Allowed || len(answer.Warnings) == 0 {
					t.Errorf("answered %+v", answer)
				}
				for _, warning := range answer.Warnings {
					if !strings.Contains(warning, " not checked") || strings.Contains(warning, lookuptest.ErrorMessage) {
						t.Errorf("the warning is %q, want what was not checked, without the API server's own words", warning)
					}
				}
				if got := h.lookupErrors(t)[test.resource+" "+reason]; got < 1 {
					t.Errorf("the failure is counted %v times", got)
				}
				if !strings.Contains(h.log.String(), `"lookup failed"`) {
					t.Errorf("the log is %s", h.log)
				}
			})
		}
	}
}

// TestConnectionReset resets the connection during a lookup. The lookup is repeated; the object is admitted unchecked only if time runs
// out.
func TestConnectionReset(t *testing.T) {
	for _, test := range []struct {
		resets  int32
		allowed bool
	}{{1, false}, {1000, true}} {
		var lookups atomic.Int32
		h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "secrets") && lookups.Add(1) <= test.resets {
				conn, _, _ := w.(http.Hijacker).Hijack()
				_ = conn.(*net.TCPConn).SetLinger(0) // sends RST instead of FIN
				_ = conn.Close()
				return
			}
			lookuptest.NotFound(w)
		})
		h.setLookupTimeout(3 * time.Second)
		started := time.Now()
		_, answer := h.post(t, reviewJSON(t, workflowWithSecret))
		if answer.Allowed != test.allowed || (len(answer.Warnings) > 0) != test.allowed {
			t.Errorf("%d resets: answered %+v", test.resets, answer)
		}
		if test.resets == 1 && time.Since(started) > 900*time.Millisecond {
			t.Errorf("after one reset the answer took %v", time.Since(started))
		}
		if took := time.Since(started); took > 4*time.Second {
			t.Errorf("%d resets: the answer took %v", test.resets, took)
		}
	}
}

// TestFailedLookupOfContext has a missing Secret, and a failing lookup of another object. That object might show that the Secret is
// created by the Workflow itself, or not needed at all, so nothing is denied.
func TestFailedLookupOfContext(t *testing.T) {
	const use = `{"name":"use","container":{"envFrom":[{"secretRef":{"name":"created"}}]}}`
	for resource, templates := range map[string]string{
		"configmaps/workflow-controller-configmap": `{"name":"main","steps":[[{"name":"use","template":"use"}]]},` + use,
		"serviceaccounts": `{"name":"main","steps":[[{"name":"create","template":"create"}],[{"name":"use","template":"use"}]]},` + use + `,
			{"name":"create","executor":{"serviceAccountName":"exec"},
				"resource":{"action":"create","manifest":"{apiVersion: v1, kind: Secret, metadata: {name: created}}"}}`,
		"workflowtemplates": `{"name":"main","steps":[
				[{"name":"create","templateRef":{"name":"a","template":"b"}}],
				[{"name":"use","template":"use"}]]},` + use,
	} {
		t.Run(resource, func(t *testing.T) {
			h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, resource) {
					lookuptest.Error(w, 500, metav1.StatusReasonInternalError)
					return
				}
				lookuptest.NotFound(w)
			})
			if _, answer := h.post(t, reviewJSON(t, workflowJSON(templates))); !answer.Allowed {
				t.Errorf("denied: %s", answer.Result.Message)
			}
			if got := len(h.lookupErrors(t)); got != 1 {
				t.Errorf("lookup errors are counted in %d series, want 1", got)
			}
		})
	}
}

// TestControllerConfigUnknown has a workflow-controller whose configuration is missing or can't be parsed. The quota is then not judged.
func TestControllerConfigUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		warning string
	}{
		"missing": {
			func(w http.ResponseWriter, _ *http.Request) { lookuptest.NotFound(w) },
			"in namespace 'kubeflow' was not found; set argo.namespace",
		},
		"invalid": {func(w http.ResponseWriter, r *http.Request) {
			lookuptest.Object(w, r, configMapWith(map[string]string{"executor": "resources: 7"}))
		}, "could not be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHandler(t, profiles, test.answer)
			_, answer := h.post(t, reviewJSON(t, profileWithCPUQuota))
			if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.warning) {
				t.Errorf("answered %+v, want a warning with %s", answer, test.warning)
			}
		})
	}
}

// TestWrongObjectAdmits has a server in the API server's place that answers every lookup with 200 and something else.
func TestWrongObjectAdmits(t *testing.T) {
	for name, body := range lookuptest.NotTheObject {
		for object, k := range map[string]kind{workflowWithSecret: workflows, profileWithCPUQuota: profiles} {
			h := newTestHandler(t, k, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, body)
			})
			if _, answer := h.post(t, reviewJSON(t, object)); !answer.Allowed || len(answer.Warnings) == 0 {
				t.Errorf("%s, %s: answered %+v", name, k.name, answer)
			}
		}
	}
}

// TestForeign404Admits has a proxy without a backend. Its 404 does not mean that an object is missing.
func TestForeign404Admits(t *testing.T) {
	h := newTestHandler(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<html>no backend</html>"))
	})
	if _, answer := h.post(t, reviewJSON(t, workflowWithSecret)); !answer.Allowed || len(answer.Warnings) == 0 {
		t.Errorf("answered %+v", answer)
	}
}
