package webhook

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestFailedLookupAdmits has an API server that fails in every way there is: nothing is denied, and it is said, logged and
// counted, in time.
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
		}{{workflows, workflowWithSecret, "secrets"}, {profiles, profileWithCPUQuota, "configmaps"}, {profiles, profileWithCPUQuota, "limitranges"}} {
			t.Run(reason+"/"+test.resource, func(t *testing.T) {
				h := newTestHandler(t, test.kind, func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, test.resource) {
						fail(w, r)
						return
					}
					lookuptest.Object(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
				})
				began := time.Now()
				_, answer := h.post(t, reviewJSON(t, test.object))
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("the answer took %v", took)
				}
				if !answer.Allowed || len(answer.Warnings) == 0 {
					t.Errorf("answered %+v", answer)
				}
				for _, warning := range answer.Warnings {
					if !strings.Contains(warning, " not checked") || strings.Contains(warning, lookuptest.ErrorMessage) {
						t.Errorf("the warning says: %s", warning)
					}
				}
				if got := h.lookupErrors(t)[test.resource+" "+reason]; got < 1 {
					t.Errorf("counted %v times", got)
				}
				if !strings.Contains(h.log.String(), `"lookup failed"`) {
					t.Errorf("log: %s", h.log)
				}
			})
		}
	}
}

// TestConnectionReset cuts the connection in the middle of a lookup. It is done again; only if there is no time left for that
// does the object go in unchecked.
func TestConnectionReset(t *testing.T) {
	for _, test := range []struct {
		resets  int32
		allowed bool
	}{{1, false}, {1000, true}} {
		var seen atomic.Int32
		h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "secrets") && seen.Add(1) <= test.resets {
				conn, _, _ := w.(http.Hijacker).Hijack()
				_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
				_ = conn.Close()
				return
			}
			lookuptest.NotFound(w)
		})
		h.setLookupTimeout(3 * time.Second)
		began := time.Now()
		_, answer := h.post(t, reviewJSON(t, workflowWithSecret))
		if answer.Allowed != test.allowed || (len(answer.Warnings) > 0) != test.allowed {
			t.Errorf("%d resets: answered %+v", test.resets, answer)
		}
		if test.resets == 1 && time.Since(began) > 900*time.Millisecond {
			t.Errorf("one reset costs %v", time.Since(began))
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%d resets: the answer took %v", test.resets, took)
		}
	}
}

// TestFailedLookupOfContext fails one kind of lookup at a time, none of which is that of the Secret itself. The Secret is not
// there, and each time something that could not be found out might bring it about, or do without it.
func TestFailedLookupOfContext(t *testing.T) {
	const use = `{"name":"use","container":{"envFrom":[{"secretRef":{"name":"made"}}]}}`
	for resource, templates := range map[string]string{
		"configmaps/workflow-controller-configmap": `{"name":"main","steps":[[{"name":"use","template":"use"}]]},` + use,
		"serviceaccounts": `{"name":"main","steps":[[{"name":"make","template":"make"}],[{"name":"use","template":"use"}]]},` + use + `,
			{"name":"make","executor":{"serviceAccountName":"exec"},"resource":{"action":"create","manifest":"{apiVersion: v1, kind: Secret, metadata: {name: made}}"}}`,
		"workflowtemplates": `{"name":"main","steps":[[{"name":"make","templateRef":{"name":"a","template":"b"}}],[{"name":"use","template":"use"}]]},` + use,
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
				t.Errorf("%d series of lookup errors", got)
			}
		})
	}
}

// TestControllerConfigUnknown has a cluster whose workflow-controller is not where it is expected, or whose configuration makes
// no sense. The quota is not judged on a guess.
func TestControllerConfigUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"not there": {func(w http.ResponseWriter, r *http.Request) { lookuptest.NotFound(w) }, "in namespace 'kubeflow': it was not found"},
		"unreadable": {func(w http.ResponseWriter, r *http.Request) {
			lookuptest.Object(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: map[string]string{"executor": "resources: 7"}})
		}, "could not be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHandler(t, profiles, test.answer)
			_, answer := h.post(t, reviewJSON(t, profileWithCPUQuota))
			if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.says) {
				t.Errorf("answered %+v", answer)
			}
		})
	}
}

// TestWrongObjectAdmits has something in the API server's place that answers everything with status 200: nobody is denied.
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

// TestForeign404Admits has a proxy without a backend: its 404 denies nobody.
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
