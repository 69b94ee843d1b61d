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

// check checks a single object.
func check(f Facts, q validators.ObjectQuery) validators.ObjectStatus {
	return f.CheckObjects("team-a", []validators.ObjectQuery{q})[q.ObjectRef]
}

// TestPresentKeys reads which keys there are, and only of those that were asked for.
func TestPresentKeys(t *testing.T) {
	raw := []byte(`{"kind":"Secret","data":{"token":"bm90LWZvci1sb2dz","user":"bm90LWZvci1sb2dz"},"binaryData":{"blob":"bm90LWZvci1sb2dz"}}`)
	keys, err := presentKeys(raw, []string{"token", "blob", "gone"})
	if err != nil || !keys.Equal(sets.New("token", "blob")) {
		t.Errorf("keys %v, %v", keys, err)
	}
	if _, err := presentKeys([]byte("{"), nil); err == nil {
		t.Error("half an object is understood")
	}
}

// TestCheckConcurrently checks more objects than are looked up at once.
func TestCheckConcurrently(t *testing.T) {
	var current, most atomic.Int32
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), current.Add(1)))
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
	if got := most.Load(); got < 2 || got > maxConcurrentPerSession {
		t.Errorf("%d lookups at once", got)
	}
}

// TestCheckReadsNoMoreThanNeeded has the path of each kind of object, and reads the content of an object only if keys matter.
func TestCheckReadsNoMoreThanNeeded(t *testing.T) {
	var asked sync.Map
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"))
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
		if metadataOnly, ok := asked.Load(path); !ok || metadataOnly == (len(q.Keys) > 0) {
			t.Errorf("%s: asked %v, only for its metadata: %v", path, ok, metadataOnly)
		}
	}
	for _, name := range []string{"../other/secrets/a", "A", "", "a/b"} {
		before := countEntries(&asked)
		if check(facts, query(validators.Secret, name, "key")).Exists {
			t.Errorf("a Secret is called %q", name)
		}
		if countEntries(&asked) != before {
			t.Errorf("the API server is asked for %q", name)
		}
	}
}

func countEntries(m *sync.Map) (n int) {
	m.Range(func(_, _ any) bool { n++; return true })
	return n
}

// TestFormsDontShareAnswers asks for a ServiceAccount as a whole and whether it exists at the same time: neither gets the other's answer.
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

// TestTemplateNameWithPath has names that would lead out of the namespace.
func TestTemplateNameWithPath(t *testing.T) {
	c := newTestClient(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("lookup of %s", r.URL.Path) })
	for _, name := range []string{"../../team-b/workflowtemplates/x", "x/keys", ""} {
		if template, err := liveFacts(t, c).WorkflowTemplate("team-a", name); template != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, template, err)
		}
	}
}
