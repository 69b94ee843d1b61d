package lookup

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestCacheIsBounded fills the cache beyond its size, and checks that entries expire.
func TestCacheIsBounded(t *testing.T) {
	c := newCache(20 * time.Millisecond)
	for i := range 100 {
		c.put(fmt.Sprint(i), answer{value: i, bytes: 1 << 20})
	}
	c.put("huge", answer{bytes: maxEntryBytes})
	if c.bytes > maxCacheBytes || len(c.entries) < 20 || len(c.entries) != len(c.queue) {
		t.Errorf("%d bytes, %d entries, %d in the queue", c.bytes, len(c.entries), len(c.queue))
	}
	if _, ok := c.get("huge"); ok {
		t.Error("an entry larger than maxEntryBytes is cached")
	}
	if found, ok := c.get("99"); !ok || found.value != 99 {
		t.Error("the newest entry is not cached")
	}
	time.Sleep(30 * time.Millisecond)
	if _, ok := c.get("99"); ok || c.bytes != 0 || len(c.queue) != 0 {
		t.Errorf("after expiry %d bytes and %d entries are left", c.bytes, len(c.queue))
	}
}

// TestMissingObjectIsNotCached looks up a Secret that exists and one that does not. Only the first answer is cached.
func TestMissingObjectIsNotCached(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/namespaces/team-a/secrets/present" {
			lookuptest.Object(w, r, secret("token"))
			return
		}
		lookuptest.NotFound(w)
	})
	facts := c.NewSession(t.Context()).Facts()
	for name, exists := range map[string]bool{"present": true, "missing": false} {
		if status := check(facts, query(validators.Secret, name, "token")); status.Exists != exists {
			t.Errorf("Secret %s: %+v", name, status)
		}
		if _, cached := c.cache.get("keys token:api/v1/namespaces/team-a/secrets/" + name); cached != exists {
			t.Errorf("Secret %s: cached %v", name, cached)
		}
	}
}
