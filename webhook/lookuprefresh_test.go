package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestDenialNeedsFreshFacts has a cached Secret that has changed since. A stale answer may admit an object but never deny one.
func TestDenialNeedsFreshFacts(t *testing.T) {
	const missing = "missing"
	for name, test := range map[string]struct {
		cached  string // the Secret's key when it was cached; empty if it was not cached
		current string // the Secret's key now, or missing
		allowed bool
		lookups int32
	}{
		"cached without the key, which was added":     {"other", "token", true, 1},
		"cached without the key, which was not added": {"other", "other", false, 1},
		"cached with the key, which was removed":      {"token", "other", true, 0},
		"not cached, exists":                          {"", "token", true, 1},
		"not cached, missing: looked up once":         {"", missing, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var key atomic.Value
			var lookups atomic.Int32
			h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.HasSuffix(r.URL.Path, "/namespaces/team-a/secrets/credentials"):
					lookuptest.Object(w, r, configMapWith(nil))
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
				h.post(t, reviewJSON(t, workflowWithSecret))
				lookups.Store(0)
			}
			key.Store(test.current)
			_, answer := h.post(t, reviewJSON(t, workflowWithSecret))
			if answer.Allowed != test.allowed || len(answer.Warnings) > 0 {
				t.Errorf("answered %+v", answer)
			}
			if got := lookups.Load(); got != test.lookups {
				t.Errorf("%d lookups, want %d", got, test.lookups)
			}
		})
	}
}

// TestFailedRefreshAdmits has a cached Secret that leads to a denial, and an API server that fails when the Secret is read again.
func TestFailedRefreshAdmits(t *testing.T) {
	var failing atomic.Bool
	h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.Contains(r.URL.Path, "secrets"):
			lookuptest.NotFound(w)
		case failing.Load():
			lookuptest.Error(w, 500, metav1.StatusReasonInternalError)
		default:
			lookuptest.Object(w, r, secretWith("other"))
		}
	})
	if _, answer := h.post(t, reviewJSON(t, workflowWithSecret)); answer.Allowed {
		t.Fatalf("answered %+v", answer)
	}
	failing.Store(true)
	if _, answer := h.post(t, reviewJSON(t, workflowWithSecret)); !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("answered %+v", answer)
	}
}

// TestRefreshRepeatsOnlyWhatMatters counts lookups. A denial repeats the cached lookups that it may be based on, and no other.
func TestRefreshRepeatsOnlyWhatMatters(t *testing.T) {
	const (
		configMap  = "/api/v1/namespaces/kubeflow/configmaps/workflow-controller-configmap"
		repository = "/api/v1/namespaces/team-a/configmaps/artifact-repositories"
		secret     = "/api/v1/namespaces/team-a/secrets/credentials"
		quotas     = "/api/v1/namespaces/team-a/resourcequotas"
		present    = "/api/v1/namespaces/team-a/secrets/present"
	)
	twoSecrets := strings.Replace(workflowWithSecret, `{"env":[`, `{"envFrom":[{"secretRef":{"name":"present"}}],"env":[`, 1)
	var lock sync.Mutex
	lookups := map[string]int{}
	h := newTestHandler(t, workflows, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		lookups[r.URL.Path]++
		switch {
		case r.URL.Path == configMap:
			lookuptest.Object(w, r, configMapWith(nil))
		case serveNoLimits(w, r):
		case r.URL.Path == present:
			lookuptest.Object(w, r, secretWith("key"))
		default:
			lookuptest.NotFound(w)
		}
	}))
	defer server.Close()
	client, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	h.lookups = newLookupClient(h.handler, client.RESTClient())
	post := func(name, object string, allowed bool, want map[string]int) {
		t.Helper()
		lock.Lock()
		clear(lookups)
		lock.Unlock()
		if _, answer := h.post(t, reviewJSON(t, object)); answer.Allowed != allowed {
			t.Errorf("%s: answered %+v", name, answer)
		}
		lock.Lock()
		defer lock.Unlock()
		for path, times := range want {
			if lookups[path] != times {
				t.Errorf("%s: %d lookups of %s, want %d", name, lookups[path], path, times)
			}
		}
	}
	post("nothing is cached", twoSecrets, false, map[string]int{present: 1, configMap: 1, repository: 1, secret: 1, quotas: 1})
	post("all but the missing Secret is cached", twoSecrets, false,
		map[string]int{present: 0, configMap: 1, repository: 1, secret: 1, quotas: 0})
	post("nothing is missing", plainWorkflow, true, map[string]int{configMap: 0, repository: 0, secret: 0, quotas: 0})
}

// TestRefreshOfControllerConfig has a cached controller configuration that leads to a denial, and has changed since.
func TestRefreshOfControllerConfig(t *testing.T) {
	var config atomic.Value
	config.Store(map[string]string{"mainContainer": "envFrom: [{secretRef: {name: credentials}}]"})
	h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "workflow-controller-configmap") {
			lookuptest.Object(w, r, configMapWith(config.Load().(map[string]string)))
			return
		}
		lookuptest.NotFound(w)
	})
	if _, answer := h.post(t, reviewJSON(t, plainWorkflow)); answer.Allowed {
		t.Errorf("answered %+v", answer)
	}
	config.Store(map[string]string{})
	if _, answer := h.post(t, reviewJSON(t, plainWorkflow)); !answer.Allowed || len(answer.Warnings) > 0 {
		t.Errorf("answered by the old configuration: %+v", answer)
	}
}
