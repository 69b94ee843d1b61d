package webhook

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/webhook/decodecost"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// lookupErrors are the failed lookups that were counted, by resource and reason.
func (b testHandler) lookupErrors(t *testing.T) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(b.metrics.lookups.Collectors()...)
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
				b := newTestHandler(t, test.kind, func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, test.resource) {
						fail(w, r)
						return
					}
					lookuptest.Object(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
				})
				began := time.Now()
				_, answer := b.post(t, reviewJSON(t, test.object))
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
				if got := b.lookupErrors(t)[test.resource+" "+reason]; got < 1 {
					t.Errorf("counted %v times", got)
				}
				if !strings.Contains(b.log.String(), `"lookup failed"`) {
					t.Errorf("log: %s", b.log)
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
		b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "secrets") && seen.Add(1) <= test.resets {
				conn, _, _ := w.(http.Hijacker).Hijack()
				_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
				_ = conn.Close()
				return
			}
			lookuptest.NotFound(w)
		})
		b.setLookupTimeout(3 * time.Second)
		began := time.Now()
		_, answer := b.post(t, reviewJSON(t, workflowWithSecret))
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
			b := newTestHandler(t, profiles, test.answer)
			_, answer := b.post(t, reviewJSON(t, profileWithCPUQuota))
			if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.says) {
				t.Errorf("answered %+v", answer)
			}
		})
	}
}

// TestDenialNeedsFreshFacts has a cache that is out of date: it may let an object in for a moment, never keep one out.
func TestDenialNeedsFreshFacts(t *testing.T) {
	const missing = "missing"
	for name, test := range map[string]struct {
		cached  string // a key that the Secret had when it was cached; empty if it was not
		now     string // a key that the Secret has now, or missing
		allowed bool
		lookups int32
	}{
		"cached without the key, which was added":     {"other", "token", true, 1},
		"cached without the key, which was not added": {"other", "other", false, 1},
		"cached with the key, which was removed":      {"token", "other", true, 0},
		"not cached, exists":                          {"", "token", true, 1},
		"not cached, missing: asked once":             {"", missing, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var key atomic.Value
			var lookups atomic.Int32
			b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.HasSuffix(r.URL.Path, "/namespaces/team-a/secrets/credentials"):
					lookuptest.Object(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
				case key.Load() == missing:
					lookups.Add(1)
					lookuptest.NotFound(w)
				default:
					lookups.Add(1)
					lookuptest.Object(w, r, secretWith(key.Load().(string)))
				}
			})
			if test.cached != "" {
				key.Store(test.cached)
				b.post(t, reviewJSON(t, workflowWithSecret))
				lookups.Store(0)
			}
			key.Store(test.now)
			_, answer := b.post(t, reviewJSON(t, workflowWithSecret))
			if answer.Allowed != test.allowed || len(answer.Warnings) > 0 {
				t.Errorf("answered %+v", answer)
			}
			if got := lookups.Load(); got != test.lookups {
				t.Errorf("%d lookups, want %d", got, test.lookups)
			}
		})
	}
}

func secretWith(key string) *corev1.Secret {
	return &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, Data: map[string][]byte{key: nil}}
}

// TestFailedRefreshAdmits has a cached fact that denies, and an API server that fails when it is asked again.
func TestFailedRefreshAdmits(t *testing.T) {
	var fails atomic.Bool
	b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.Contains(r.URL.Path, "secrets"):
			lookuptest.NotFound(w)
		case fails.Load():
			lookuptest.Error(w, 500, metav1.StatusReasonInternalError)
		default:
			lookuptest.Object(w, r, secretWith("other"))
		}
	})
	if _, answer := b.post(t, reviewJSON(t, workflowWithSecret)); answer.Allowed {
		t.Fatalf("answered %+v", answer)
	}
	fails.Store(true)
	if _, answer := b.post(t, reviewJSON(t, workflowWithSecret)); !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("answered %+v", answer)
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
			b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, resource) {
					lookuptest.Error(w, 500, metav1.StatusReasonInternalError)
					return
				}
				lookuptest.NotFound(w)
			})
			if _, answer := b.post(t, reviewJSON(t, workflowJSON(templates))); !answer.Allowed {
				t.Errorf("denied: %s", answer.Result.Message)
			}
			if got := len(b.lookupErrors(t)); got != 1 {
				t.Errorf("%d series of lookup errors", got)
			}
		})
	}
}

// TestLookupsAreBounded has Workflows that ask for more than anybody needs.
func TestLookupsAreBounded(t *testing.T) {
	var refs []string
	for i := range 1000 {
		refs = append(refs, fmt.Sprintf(`{"secretRef":{"name":"secret-%d"}}`, i))
	}
	items := strings.TrimSuffix(strings.Repeat("1,", 1000), ",")
	for name, test := range map[string]struct {
		templates string
		lookups   int32
	}{
		"many Secrets": {`{"name":"main","container":{"envFrom":[` + strings.Join(refs, ",") + `]}}`, 210},
		"loops over a WorkflowTemplate": {`{"name":"main","steps":[[{"name":"a","template":"u","withItems":[` + items + `],"arguments":{"parameters":[{"name":"x","value":"{{item}}"}]}}]]},
			{"name":"u","inputs":{"parameters":[{"name":"x"}]},"steps":[[{"name":"b","withItems":[` + items + `],"templateRef":{"name":"a","template":"b"}}]]}`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var lookups atomic.Int32
			b := newTestHandler(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
				lookups.Add(1)
				lookuptest.NotFound(w)
			})
			b.setLookupTimeout(10 * time.Second)
			_, answer := b.post(t, reviewJSON(t, workflowJSON(test.templates)))
			if got := lookups.Load(); got > test.lookups {
				t.Errorf("%d lookups", got)
			}
			if name == "many Secrets" && (answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "of the 1000 objects that the Workflow needs, 800 were not checked")) {
				t.Errorf("allowed %v, warnings %q", answer.Allowed, answer.Warnings)
			}
		})
	}
}

// TestImpossibleSecretName has a name that no Secret can have, which need not be looked up.
func TestImpossibleSecretName(t *testing.T) {
	b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/secrets/") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	for _, name := range []string{"A_B", "a/b", "..", "a%b"} {
		if _, answer := b.post(t, reviewJSON(t, strings.Replace(workflowWithSecret, "credentials", name, 1))); answer.Allowed {
			t.Errorf("%s is let in", name)
		}
	}
}

// TestRequestNamespaceWins has an object that claims another namespace than the request's.
func TestRequestNamespaceWins(t *testing.T) {
	b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "elsewhere") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	body := strings.Replace(reviewJSON(t, workflowWithSecret), `"metadata":{"name":"run","namespace":"team-a"}`, `"metadata":{"name":"run","namespace":"elsewhere"}`, 1)
	if _, answer := b.post(t, body); answer.Allowed || strings.Contains(answer.Result.Message, "elsewhere") {
		t.Errorf("answered %+v", answer)
	}
}

// TestProfileNameNotANamespace has Profiles whose names are none of a namespace, and lead nowhere else.
func TestProfileNameNotANamespace(t *testing.T) {
	b := newTestHandler(t, profiles, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "limitranges") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	for _, name := range []string{"", "a.b", "..", "A"} {
		body := strings.ReplaceAll(reviewJSON(t, profileWithCPUQuota), `"name":"team-a"`, fmt.Sprintf(`"name":%q`, name))
		// An API server that asks has given the object a name before.
		if _, answer := b.post(t, body); answer.Allowed != (name == "") || !answer.Allowed && !strings.Contains(answer.Result.Message, "profile-quota-invalid") {
			t.Errorf("Profile '%s': answered %+v", name, answer)
		}
	}
}

// TestRefreshRepeatsOnlyWhatMatters has a denial that may be based on cached facts. Those facts are asked for again, and nothing else is.
func TestRefreshRepeatsOnlyWhatMatters(t *testing.T) {
	const (
		configMap  = "/api/v1/namespaces/kubeflow/configmaps/workflow-controller-configmap"
		repository = "/api/v1/namespaces/team-a/configmaps/artifact-repositories"
		secret     = "/api/v1/namespaces/team-a/secrets/credentials"
		quotas     = "/api/v1/namespaces/team-a/resourcequotas"
		present    = "/api/v1/namespaces/team-a/secrets/present"
	)
	both := strings.Replace(workflowWithSecret, `{"env":[`, `{"envFrom":[{"secretRef":{"name":"present"}}],"env":[`, 1)
	var lock sync.Mutex
	asked := map[string]int{}
	b := newTestHandler(t, workflows, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		asked[r.URL.Path]++
		switch {
		case r.URL.Path == configMap:
			lookuptest.Object(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
		case serveNoLimits(w, r):
		case r.URL.Path == present:
			lookuptest.Object(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}})
		default:
			lookuptest.NotFound(w)
		}
	}))
	defer server.Close()
	client, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	b.lookups = newLookupClient(b.handler, client.RESTClient())
	post := func(what, object string, allowed bool, want map[string]int) {
		t.Helper()
		lock.Lock()
		clear(asked)
		lock.Unlock()
		if _, answer := b.post(t, reviewJSON(t, object)); answer.Allowed != allowed {
			t.Errorf("%s: answered %+v", what, answer)
		}
		lock.Lock()
		defer lock.Unlock()
		for path, times := range want {
			if asked[path] != times {
				t.Errorf("%s: %s was asked %d times, want %d", what, path, asked[path], times)
			}
		}
	}
	post("nothing is remembered", both, false, map[string]int{present: 1, configMap: 1, repository: 1, secret: 1, quotas: 1})
	post("all of it is remembered but the Secret", both, false, map[string]int{present: 0, configMap: 1, repository: 1, secret: 1, quotas: 0})
	post("nothing is wrong", plainWorkflow, true, map[string]int{configMap: 0, repository: 0, secret: 0, quotas: 0})
}

const plainWorkflow = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"run","namespace":"team-a"},"spec":{"entrypoint":"main","templates":[{"name":"main","container":{"image":"a"}}]}}`

// TestRefreshOfControllerConfig has a denial that stood on a configuration that is another one by now.
func TestRefreshOfControllerConfig(t *testing.T) {
	var executor atomic.Value
	executor.Store(map[string]string{"mainContainer": "envFrom: [{secretRef: {name: credentials}}]"})
	b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "workflow-controller-configmap") {
			lookuptest.Object(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: executor.Load().(map[string]string)})
			return
		}
		lookuptest.NotFound(w)
	})
	if _, answer := b.post(t, reviewJSON(t, plainWorkflow)); answer.Allowed {
		t.Errorf("answered %+v", answer)
	}
	executor.Store(map[string]string{})
	if _, answer := b.post(t, reviewJSON(t, plainWorkflow)); !answer.Allowed || len(answer.Warnings) > 0 {
		t.Errorf("denied for a configuration that is gone: %+v", answer)
	}
}

// TestWrongObjectAdmits has something in the API server's place that answers everything with status 200: nobody is denied.
func TestWrongObjectAdmits(t *testing.T) {
	for name, body := range lookuptest.NotTheObject {
		for object, k := range map[string]kind{workflowWithSecret: workflows, profileWithCPUQuota: profiles} {
			b := newTestHandler(t, k, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, body)
			})
			if _, answer := b.post(t, reviewJSON(t, object)); !answer.Allowed || len(answer.Warnings) == 0 {
				t.Errorf("%s, %s: answered %+v", name, k.name, answer)
			}
		}
	}
}

// TestForeign404Admits has a proxy without a backend: its 404 denies nobody.
func TestForeign404Admits(t *testing.T) {
	b := newTestHandler(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<html>no backend</html>"))
	})
	if _, answer := b.post(t, reviewJSON(t, workflowWithSecret)); !answer.Allowed || len(answer.Warnings) == 0 {
		t.Errorf("answered %+v", answer)
	}
}

// TestRepeatedLookupsAreShared has a Workflow that names one missing ConfigMap a thousand times, and Workflows that name more than any real one.
func TestRepeatedLookupsAreShared(t *testing.T) {
	const parameter = `{"name":"p%%[1]d","valueFrom":{"configMapKeyRef":{"name":"%s","key":"k"}}}`
	for name, test := range map[string]struct {
		configMap string
		most      int32
	}{
		"the same":               {"gone", 10},
		"all different":          {"gone-%[1]d", 1010},
		"all different, no time": {"slow-%[1]d", 10},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			b := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if strings.Contains(r.URL.Path, "slow") {
					<-r.Context().Done()
				}
				lookuptest.NotFound(w)
			})
			var parameters []string
			for i := range 1500 {
				parameters = append(parameters, fmt.Sprintf(fmt.Sprintf(parameter, test.configMap), i))
			}
			arguments := `"arguments":{"parameters":[` + strings.Join(parameters, ",") + `]},"entrypoint"`
			b.post(t, reviewJSON(t, strings.Replace(workflowWithSecret, `"entrypoint"`, arguments, 1)))
			if got := asked.Load(); got > test.most {
				t.Errorf("%d lookups", got)
			}
			if lines := strings.Count(b.log.String(), "lookup failed"); strings.Contains(name, "no time") && lines > 10 {
				t.Errorf("%d lines of log", lines)
			}
		})
	}
}

// TestTooManyValues has a Workflow that is small on the wire and large in memory.
func TestTooManyValues(t *testing.T) {
	b := newTestHandler(t, workflows, nil)
	object := strings.Replace(workflowWithSecret, `"templates":[`, `"templates":[`+strings.Repeat("{},", decodecost.MaxValues), 1)
	_, answer := b.post(t, reviewJSON(t, object))
	if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "values, more than") {
		t.Errorf("answered %.300v", answer)
	}
	if got := testutil.CollectAndCount(b.metrics.reviews); got == 0 {
		t.Error("not counted")
	}
}
