package lookup

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

func query(kind, name string, keys ...string) validators.ObjectQuery {
	return validators.ObjectQuery{ObjectRef: validators.ObjectRef{Kind: kind, Name: name}, Keys: keys}
}

// check checks one object in namespace team-a.
func check(f Facts, q validators.ObjectQuery) validators.ObjectStatus {
	return f.CheckObjects("team-a", []validators.ObjectQuery{q})[q.ObjectRef]
}

// TestPresentKeys reads an object that has two of the wanted keys, lacks one, and has another key that is not wanted.
func TestPresentKeys(t *testing.T) {
	raw := []byte(`{"kind":"Secret","data":{"token":"bm90LWZvci1sb2dz","user":"bm90LWZvci1sb2dz"},"binaryData":{"blob":"bm90LWZvci1sb2dz"}}`)
	keys, err := presentKeys(raw, []string{"token", "blob", "gone"})
	if err != nil || !keys.Equal(sets.New("token", "blob")) {
		t.Errorf("keys %v, %v", keys, err)
	}
	if _, err := presentKeys([]byte("{"), nil); err == nil {
		t.Error("an incomplete object was accepted")
	}
}

// TestCheckConcurrently checks more objects than one session looks up at a time.
func TestCheckConcurrently(t *testing.T) {
	var current, highest atomic.Int32
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		highest.Store(max(highest.Load(), current.Add(1)))
		time.Sleep(5 * time.Millisecond)
		current.Add(-1)
		lookuptest.Object(w, r, secret(r.URL.Path))
	})
	path := func(name string) string { return "/api/v1/namespaces/team-a/secrets/" + name }
	var queries []validators.ObjectQuery
	for i := range 30 {
		name := fmt.Sprintf("secret-%d", i)
		queries = append(queries, query(validators.Secret, name, path(name)))
	}
	for ref, status := range c.NewSession(t.Context()).Facts().CheckObjects("team-a", queries) {
		if !status.Exists || !status.Keys.Has(path(ref.Name)) {
			t.Errorf("%s: %+v", ref.Name, status)
		}
	}
	if got := highest.Load(); got < 2 || got > maxConcurrentPerSession {
		t.Errorf("%d concurrent lookups, want 2 to %d", got, maxConcurrentPerSession)
	}
}

// TestCheckReadsNoMoreThanNeeded checks one object of each kind. The path must be right, and only metadata is read unless keys are queried.
func TestCheckReadsNoMoreThanNeeded(t *testing.T) {
	var requests sync.Map // whether only metadata was requested, by path
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Store(r.URL.Path, strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"))
		lookuptest.Object(w, r, secret())
	})
	paths := map[string]validators.ObjectQuery{
		"/api/v1/namespaces/team-a/secrets/a":                query(validators.Secret, "a"),
		"/api/v1/namespaces/team-a/secrets/b":                query(validators.Secret, "b", "key"),
		"/api/v1/namespaces/team-a/configmaps/a":             query(validators.ConfigMap, "a"),
		"/api/v1/namespaces/team-a/serviceaccounts/a":        query(validators.ServiceAccount, "a"),
		"/api/v1/namespaces/team-a/persistentvolumeclaims/a": query(validators.PersistentVolumeClaim, "a"),
		"/apis/scheduling.k8s.io/v1/priorityclasses/a":       query(validators.PriorityClass, "a"),
	}
	facts := liveFacts(t, c)
	for path, q := range paths {
		if status := check(facts, q); !status.Exists {
			t.Errorf("%+v: %+v", q, status)
		}
		if metadataOnly, requested := requests.Load(path); !requested || metadataOnly == (len(q.Keys) > 0) {
			t.Errorf("%s: requested %v, only metadata: %v", path, requested, metadataOnly)
		}
	}
	for _, name := range []string{"../other/secrets/a", "A", "", "a/b"} {
		before := countEntries(&requests)
		if check(facts, query(validators.Secret, name, "key")).Exists {
			t.Errorf("a Secret with the name %q exists", name)
		}
		if countEntries(&requests) != before {
			t.Errorf("Secret %q was looked up", name)
		}
	}
}

func countEntries(m *sync.Map) (n int) {
	m.Range(func(_, _ any) bool { n++; return true })
	return n
}

// TestFormsDontShareAnswers reads a ServiceAccount and its metadata at the same time. The two lookups must not share an answer.
func TestFormsDontShareAnswers(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond)
		lookuptest.Object(w, r, &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{Kind: "ServiceAccount", APIVersion: "v1"}})
	})
	var group sync.WaitGroup
	for i := range 20 {
		facts := liveFacts(t, c)
		group.Go(func() {
			if i%2 == 0 {
				if account, err := facts.ServiceAccount("team-a", "runner"); err != nil || account.Name != "runner" {
					t.Error(account, err)
				}
			} else if status := check(facts, query(validators.ServiceAccount, "runner")); !status.Exists {
				t.Errorf("%+v", status)
			}
		})
	}
	group.Wait()
}

// TestTemplateNameWithPath has names of templates that would lead to another path of the API.
func TestTemplateNameWithPath(t *testing.T) {
	c := newTestClient(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("lookup of %s", r.URL.Path) })
	for _, name := range []string{"../../team-b/workflowtemplates/x", "x/keys", ""} {
		if template, err := liveFacts(t, c).WorkflowTemplate("team-a", name); template != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, template, err)
		}
	}
}
