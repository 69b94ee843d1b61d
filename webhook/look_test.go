package webhook

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
)

func wanted(kind, name string, keys ...string) validators.ObjectQuery {
	return validators.ObjectQuery{ObjectRef: validators.ObjectRef{Kind: kind, Name: name}, Keys: keys}
}

// TestKeysOf wants to know which keys there are, and only of those that matter.
func TestKeysOf(t *testing.T) {
	raw := []byte(`{"kind":"Secret","data":{"token":"bm90LWZvci1sb2dz","user":"bm90LWZvci1sb2dz"},"binaryData":{"blob":"bm90LWZvci1sb2dz"}}`)
	keys, err := keysOf(raw, []string{"token", "blob", "gone"})
	if err != nil || !keys.Equal(sets.New("token", "blob")) {
		t.Errorf("keys %v, %v", keys, err)
	}
	if _, err := keysOf([]byte("{"), nil); err == nil {
		t.Error("half an object is understood")
	}
}

// TestLookTogether looks up more objects than go at once.
func TestLookTogether(t *testing.T) {
	var now, most atomic.Int32
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
		apiObject(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, Data: map[string][]byte{r.URL.Path: nil}})
	})
	var list []validators.ObjectQuery
	for i := range 30 {
		list = append(list, wanted(validators.Secret, fmt.Sprintf("secret-%d", i), "/api/v1/namespaces/team-a/secrets/"+fmt.Sprintf("secret-%d", i)))
	}
	for o, found := range b.facts.open(t.Context()).CheckObjects("team-a", list) {
		if !found.Exists || !found.Keys.Has("/api/v1/namespaces/team-a/secrets/"+o.Name) {
			t.Errorf("%s: %+v", o.Name, found)
		}
	}
	if got := most.Load(); got < 2 || got > looksAtOnce {
		t.Errorf("%d lookups at once", got)
	}
}

// TestLookAsksForNoMore has where each kind of object is looked for, and that the API server is asked for what it holds only
// where keys matter.
func TestLookAsksForNoMore(t *testing.T) {
	var asked sync.Map
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"))
		apiObject(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}})
	})
	paths := map[string]validators.ObjectQuery{
		"/api/v1/namespaces/team-a/secrets/a":                wanted(validators.Secret, "a"),
		"/api/v1/namespaces/team-a/secrets/b":                wanted(validators.Secret, "b", "key"),
		"/api/v1/namespaces/team-a/configmaps/a":             wanted(validators.ConfigMap, "a"),
		"/api/v1/namespaces/team-a/serviceaccounts/a":        wanted(validators.ServiceAccount, "a"),
		"/api/v1/namespaces/team-a/persistentvolumeclaims/a": wanted(validators.PersistentVolumeClaim, "a"),
		"/apis/scheduling.k8s.io/v1/priorityclasses/a":       wanted(validators.PriorityClass, "a"),
	}
	facts := live(t, b)
	for path, w := range paths {
		if found := facts.CheckObjects("team-a", []validators.ObjectQuery{w})[w.ObjectRef]; !found.Exists {
			t.Errorf("%+v: %+v", w, found)
		}
		if only, ok := asked.Load(path); !ok || only == (len(w.Keys) > 0) {
			t.Errorf("%s: asked %v, only for its metadata: %v", path, ok, only)
		}
	}
	for _, name := range []string{"../other/secrets/a", "A", "", "a/b"} {
		before := count(&asked)
		if found := facts.CheckObjects("team-a", []validators.ObjectQuery{wanted(validators.Secret, name, "key")}); found[validators.ObjectRef{Kind: validators.Secret, Name: name}].Exists {
			t.Errorf("a Secret is called %q", name)
		}
		if count(&asked) != before {
			t.Errorf("the API server is asked for %q", name)
		}
	}
}

func count(m *sync.Map) (n int) {
	m.Range(func(_, _ any) bool { n++; return true })
	return n
}

// TestLookAgain has an API server that fails for a while: it is asked again as long as there is time.
func TestLookAgain(t *testing.T) {
	for _, fail := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { apiError(w, 429, metav1.StatusReasonTooManyRequests) },
		func(w http.ResponseWriter, _ *http.Request) { apiError(w, 500, metav1.StatusReasonInternalError) },
		func(w http.ResponseWriter, _ *http.Request) { apiError(w, 503, metav1.StatusReasonServiceUnavailable) },
		func(w http.ResponseWriter, _ *http.Request) { apiError(w, 504, metav1.StatusReasonTimeout) },
	} {
		var asked atomic.Int32
		b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) <= 2 {
				fail(w, r)
				return
			}
			apiError(w, 404, metav1.StatusReasonNotFound)
		})
		o := wanted(validators.Secret, "a", "key")
		if found := live(t, b).CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]; found.Err != nil || found.Exists {
			t.Errorf("%+v", found)
		}
	}
	var asked atomic.Int32
	b := newBench(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		apiError(w, 403, metav1.StatusReasonForbidden)
	})
	o := wanted(validators.Secret, "a", "key")
	if found := live(t, b).CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]; found.Err == nil || asked.Load() != 1 {
		t.Errorf("%d times asked for what is forbidden: %+v", asked.Load(), found)
	}
}

// TestLookInBothForms asks for a ServiceAccount as a whole and only whether it is there, at the same time: neither gets the
// other's answer.
func TestLookInBothForms(t *testing.T) {
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond)
		apiObject(w, r, &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{Kind: "ServiceAccount", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "runner"}})
	})
	o := wanted(validators.ServiceAccount, "runner")
	var group sync.WaitGroup
	for i := range 20 {
		facts := live(t, b)
		group.Go(func() {
			if i%2 == 0 {
				if account, err := facts.ServiceAccount("team-a", "runner"); err != nil || account.Name != "runner" {
					t.Error(account, err)
				}
			} else if found := facts.CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]; !found.Exists {
				t.Errorf("%+v", found)
			}
		})
	}
	group.Wait()
}

// TestNotTheAPIServer has a proxy without a backend: its 404 says nothing of the object.
func TestNotTheAPIServer(t *testing.T) {
	b := newBench(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<html>no backend</html>"))
	})
	o := wanted(validators.Secret, "a", "key")
	facts := live(t, b)
	if found := facts.CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]; found.Err == nil {
		t.Errorf("%+v", found)
	}
	if template, err := facts.WorkflowTemplate("team-a", "a"); err == nil {
		t.Errorf("%+v", template)
	}
	if _, answer := b.post(t, review(t, needy)); !answer.Allowed || len(answer.Warnings) == 0 {
		t.Errorf("answered %+v", answer)
	}
}

// TestTemplateElsewhere has a templateRef that leads out of the namespace.
func TestTemplateElsewhere(t *testing.T) {
	b := newBench(t, workflows, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("lookup of %s", r.URL.Path) })
	for _, name := range []string{"../../team-b/workflowtemplates/x", "x/keys", ""} {
		if template, err := live(t, b).WorkflowTemplate("team-a", name); template != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, template, err)
		}
	}
}

// live are facts of which none is older than the question.
func live(t *testing.T, b bench) *judgementFacts {
	t.Helper()
	facts := b.facts.open(t.Context())
	facts.live = true
	return facts
}
