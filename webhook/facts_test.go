package webhook

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// apiError answers as an API server does.
func apiError(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason,
		Message: "internal words that no user should see",
	})
}

// apiObject answers with an object as it was asked for: under its name, and without what it holds if only metadata are wanted.
func apiObject(w http.ResponseWriter, r *http.Request, object any) {
	raw, _ := json.Marshal(object)
	var content map[string]any
	_ = json.Unmarshal(raw, &content)
	content["metadata"] = map[string]any{"name": path.Base(r.URL.Path)}
	if strings.Contains(r.Header.Get("Accept"), onlyMetadata.Kind) {
		content = map[string]any{"apiVersion": onlyMetadata.APIVersion, "kind": onlyMetadata.Kind, "metadata": content["metadata"]}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(content)
}

// TestLookupFails has an API server that fails in every way there is: nothing is denied, and it is said, logged and
// counted, in time.
func TestLookupFails(t *testing.T) {
	for reason, fail := range map[string]http.HandlerFunc{
		"timeout":      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"forbidden":    func(w http.ResponseWriter, _ *http.Request) { apiError(w, 403, metav1.StatusReasonForbidden) },
		"throttled":    func(w http.ResponseWriter, _ *http.Request) { apiError(w, 429, metav1.StatusReasonTooManyRequests) },
		"server_error": func(w http.ResponseWriter, r *http.Request) { apiError(w, 500, metav1.StatusReasonInternalError) },
		"connection":   func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "99") },
	} {
		for _, test := range []struct {
			kind             kind
			object, resource string
		}{{workflows, needy, "secrets"}, {profiles, badProfile, "configmaps"}, {profiles, badProfile, "limitranges"}} {
			t.Run(reason+"/"+test.resource, func(t *testing.T) {
				b := newBench(t, test.kind, func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, test.resource) {
						fail(w, r)
						return
					}
					apiObject(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
				})
				began := time.Now()
				_, answer := b.post(t, review(t, test.object))
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("the answer took %v", took)
				}
				if !answer.Allowed || len(answer.Warnings) == 0 {
					t.Errorf("answered %+v", answer)
				}
				for _, warning := range answer.Warnings {
					if !strings.Contains(warning, " not checked") || strings.Contains(warning, "internal words") {
						t.Errorf("the warning says: %s", warning)
					}
				}
				if got := testutil.ToFloat64(b.metrics.lookupErrors.WithLabelValues(test.resource, reason)); got < 1 {
					t.Errorf("counted %v times", got)
				}
				if !strings.Contains(b.log.String(), `"a lookup gave no answer"`) {
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
		b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "secrets") && seen.Add(1) <= test.resets {
				conn, _, _ := w.(http.Hijacker).Hijack()
				_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
				_ = conn.Close()
				return
			}
			apiError(w, 404, metav1.StatusReasonNotFound)
		})
		b.withTimeout(3 * time.Second)
		began := time.Now()
		_, answer := b.post(t, review(t, needy))
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

// TestUnknownController has a cluster whose workflow-controller is not where it is expected, or whose configuration makes
// no sense. The quota is not judged on a guess.
func TestUnknownController(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"not there": {func(w http.ResponseWriter, r *http.Request) { apiError(w, 404, metav1.StatusReasonNotFound) }, "in namespace 'kubeflow': it was not found"},
		"unreadable": {func(w http.ResponseWriter, r *http.Request) {
			apiObject(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: map[string]string{"executor": "resources: 7"}})
		}, "could not be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, profiles, test.answer)
			_, answer := b.post(t, review(t, badProfile))
			if !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.says) {
				t.Errorf("answered %+v", answer)
			}
		})
	}
}

// TestDeniedOnlyOnFreshFacts has memory that is out of date: it may let an object in for a moment, never keep one out.
func TestDeniedOnlyOnFreshFacts(t *testing.T) {
	const key = "keys token:api/v1/namespaces/team-a/secrets/credentials"
	for name, test := range map[string]struct {
		remembered sets.Set[string] // nil for nothing
		now        map[string][]byte
		allowed    bool
		lookups    int32
	}{
		"remembered without the key, which has come since": {sets.New[string](), map[string][]byte{"token": nil}, true, 1},
		"remembered without the key, which has not come":   {sets.New[string](), map[string][]byte{"other": nil}, false, 1},
		"remembered with the key, which has gone":          {sets.New("token"), map[string][]byte{}, true, 0},
		"not remembered and there":                         {nil, map[string][]byte{"token": nil}, true, 1},
		"not remembered and not there: asked once":         {nil, nil, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var lookups atomic.Int32
			b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.HasSuffix(r.URL.Path, "/namespaces/team-a/secrets/credentials"):
					apiObject(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
				case test.now == nil:
					lookups.Add(1)
					apiError(w, 404, metav1.StatusReasonNotFound)
				default:
					lookups.Add(1)
					apiObject(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, Data: test.now})
				}
			})
			if test.remembered != nil {
				b.facts.memory.keep(key, fact{answer: test.remembered})
			}
			_, answer := b.post(t, review(t, needy))
			if answer.Allowed != test.allowed || len(answer.Warnings) > 0 {
				t.Errorf("answered %+v", answer)
			}
			if got := lookups.Load(); got != test.lookups {
				t.Errorf("%d lookups, want %d", got, test.lookups)
			}
			if _, ok := b.facts.memory.get(key); ok != (test.remembered != nil || test.now != nil) {
				t.Error("a Secret that is not there is remembered, or one that is there is not")
			}
		})
	}
}

// TestSecondLookFails has the second look fail after the first one would have denied.
func TestSecondLookFails(t *testing.T) {
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "secrets") {
			apiError(w, 500, metav1.StatusReasonInternalError)
			return
		}
		apiError(w, 404, metav1.StatusReasonNotFound)
	})
	b.facts.memory.keep("keys token:api/v1/namespaces/team-a/secrets/credentials", fact{answer: sets.New[string]()})
	_, answer := b.post(t, review(t, needy))
	if !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("answered %+v", answer)
	}
}

// TestOtherLookupFails fails one kind of lookup at a time, none of which is that of the Secret itself. The Secret is not
// there, and each time something that could not be found out might bring it about, or do without it.
func TestOtherLookupFails(t *testing.T) {
	const use = `{"name":"use","container":{"envFrom":[{"secretRef":{"name":"made"}}]}}`
	for resource, templates := range map[string]string{
		"configmaps/workflow-controller-configmap": `{"name":"main","steps":[[{"name":"use","template":"use"}]]},` + use,
		"serviceaccounts": `{"name":"main","steps":[[{"name":"make","template":"make"}],[{"name":"use","template":"use"}]]},` + use + `,
			{"name":"make","executor":{"serviceAccountName":"exec"},"resource":{"action":"create","manifest":"{apiVersion: v1, kind: Secret, metadata: {name: made}}"}}`,
		"workflowtemplates": `{"name":"main","steps":[[{"name":"make","templateRef":{"name":"a","template":"b"}}],[{"name":"use","template":"use"}]]},` + use,
	} {
		t.Run(resource, func(t *testing.T) {
			b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, resource) {
					apiError(w, 500, metav1.StatusReasonInternalError)
					return
				}
				apiError(w, 404, metav1.StatusReasonNotFound)
			})
			if _, answer := b.post(t, review(t, workflow(templates))); !answer.Allowed {
				t.Errorf("denied: %s", answer.Result.Message)
			}
			if got := testutil.CollectAndCount(b.metrics.lookupErrors); got != 1 {
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
			b := newBench(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
				lookups.Add(1)
				apiError(w, 404, metav1.StatusReasonNotFound)
			})
			b.withTimeout(10 * time.Second)
			_, answer := b.post(t, review(t, workflow(test.templates)))
			if got := lookups.Load(); got > test.lookups {
				t.Errorf("%d lookups", got)
			}
			if name == "many Secrets" && (answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "of the 1000 objects that the Workflow needs, 800 were not checked")) {
				t.Errorf("allowed %v, warnings %q", answer.Allowed, answer.Warnings)
			}
		})
	}
}

// TestImpossibleName has a name that no Secret can have, which need not be looked up.
func TestImpossibleName(t *testing.T) {
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/secrets/") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		apiError(w, 404, metav1.StatusReasonNotFound)
	})
	for _, name := range []string{"A_B", "a/b", "..", "a%b"} {
		if _, answer := b.post(t, review(t, strings.Replace(needy, "credentials", name, 1))); answer.Allowed {
			t.Errorf("%s is let in", name)
		}
	}
}

// TestNamespaceOfTheRequest has an object that claims another namespace than the request's.
func TestNamespaceOfTheRequest(t *testing.T) {
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "elsewhere") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		apiError(w, 404, metav1.StatusReasonNotFound)
	})
	body := strings.Replace(review(t, needy), `"metadata":{"name":"run","namespace":"team-a"}`, `"metadata":{"name":"run","namespace":"elsewhere"}`, 1)
	if _, answer := b.post(t, body); answer.Allowed || strings.Contains(answer.Result.Message, "elsewhere") {
		t.Errorf("answered %+v", answer)
	}
}

// TestNameThatIsNoNamespace has Profiles whose names are none of a namespace, and lead nowhere else.
func TestNameThatIsNoNamespace(t *testing.T) {
	b := newBench(t, profiles, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "limitranges") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		apiError(w, 404, metav1.StatusReasonNotFound)
	})
	for _, name := range []string{"", "a.b", "..", "A"} {
		body := strings.ReplaceAll(review(t, badProfile), `"name":"team-a"`, fmt.Sprintf(`"name":%q`, name))
		// An API server that asks has given the object a name before.
		if _, answer := b.post(t, body); answer.Allowed != (name == "") || !answer.Allowed && !strings.Contains(answer.Result.Message, "profile-quota-invalid") {
			t.Errorf("Profile '%s': answered %+v", name, answer)
		}
	}
}

// TestRenewed has a denial that may stand on memory. What it stands on is asked again, and nothing else is.
func TestRenewed(t *testing.T) {
	const (
		configMap  = "/api/v1/namespaces/kubeflow/configmaps/workflow-controller-configmap"
		repository = "/api/v1/namespaces/team-a/configmaps/artifact-repositories"
		secret     = "/api/v1/namespaces/team-a/secrets/credentials"
		quotas     = "/api/v1/namespaces/team-a/resourcequotas"
		present    = "/api/v1/namespaces/team-a/secrets/present"
	)
	both := strings.Replace(needy, `{"env":[`, `{"envFrom":[{"secretRef":{"name":"present"}}],"env":[`, 1)
	var lock sync.Mutex
	asked := map[string]int{}
	b := newBench(t, workflows, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		asked[r.URL.Path]++
		switch {
		case r.URL.Path == configMap:
			apiObject(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}})
		case noLimits(w, r):
		case r.URL.Path == present:
			apiObject(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}})
		default:
			apiError(w, 404, metav1.StatusReasonNotFound)
		}
	}))
	defer server.Close()
	client, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	b.facts.client = client.RESTClient()
	post := func(what, object string, allowed bool, want map[string]int) {
		t.Helper()
		lock.Lock()
		clear(asked)
		lock.Unlock()
		if _, answer := b.post(t, review(t, object)); answer.Allowed != allowed {
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

// TestRenewedConfiguration has a denial that stood on a configuration that is another one by now.
func TestRenewedConfiguration(t *testing.T) {
	var executor atomic.Value
	executor.Store(map[string]string{"mainContainer": "envFrom: [{secretRef: {name: credentials}}]"})
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "workflow-controller-configmap") {
			apiObject(w, r, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: executor.Load().(map[string]string)})
			return
		}
		apiError(w, 404, metav1.StatusReasonNotFound)
	})
	if _, answer := b.post(t, review(t, plainWorkflow)); answer.Allowed {
		t.Errorf("answered %+v", answer)
	}
	executor.Store(map[string]string{})
	if _, answer := b.post(t, review(t, plainWorkflow)); !answer.Allowed || len(answer.Warnings) > 0 {
		t.Errorf("denied for a configuration that is gone: %+v", answer)
	}
}
