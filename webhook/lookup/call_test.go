package lookup

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestRetry has an API server whose first two responses are errors. Lookups are retried, except those that are forbidden.
func TestRetry(t *testing.T) {
	q := query(validators.Secret, "a", "key")
	for code, reason := range map[int]metav1.StatusReason{
		429: metav1.StatusReasonTooManyRequests, 500: metav1.StatusReasonInternalError,
		503: metav1.StatusReasonServiceUnavailable, 504: metav1.StatusReasonTimeout,
	} {
		var requests atomic.Int32
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) <= 2 {
				lookuptest.Error(w, code, reason)
				return
			}
			lookuptest.NotFound(w)
		}, withTimeout(3*time.Second))
		if status := check(liveFacts(t, c), q); status.Err != nil || status.Exists {
			t.Errorf("after errors %d: %+v", code, status)
		}
	}
	var requests atomic.Int32
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		lookuptest.Error(w, 403, metav1.StatusReasonForbidden)
	})
	if status := check(liveFacts(t, c), q); status.Err == nil || requests.Load() != 1 {
		t.Errorf("a forbidden lookup: %d requests, %+v", requests.Load(), status)
	}
}

// TestForeign404IsAnError has a proxy without a backend. Its 404 does not mean that an object is missing.
func TestForeign404IsAnError(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<html>no backend</html>"))
	})
	facts := liveFacts(t, c)
	if status := check(facts, query(validators.Secret, "a", "key")); status.Err == nil {
		t.Errorf("no error: %+v", status)
	}
	if template, err := facts.WorkflowTemplate("team-a", "a"); err == nil {
		t.Errorf("no error: %+v", template)
	}
}

// TestWrongObjectIsAnError has a server in the API server's place that answers every lookup with 200 and something else.
func TestWrongObjectIsAnError(t *testing.T) {
	for name, body := range lookuptest.NotTheObject {
		t.Run(name, func(t *testing.T) {
			c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, body)
			})
			facts := liveFacts(t, c)
			if status := check(facts, query(validators.Secret, "a")); status.Err == nil {
				t.Errorf("a Secret was found: %+v", status)
			}
			if quotas, err := facts.ResourceQuotas("team-b"); err == nil {
				t.Errorf("quotas were found: %v", quotas)
			}
			if version, err := facts.ServerVersion(); err == nil {
				t.Errorf("a version was found: %s", version)
			}
		})
	}
}

// TestSharedFailureIsRetriedAlone joins another session's request shortly before it fails. The session then sends its own request.
func TestSharedFailureIsRetriedAlone(t *testing.T) {
	var requests atomic.Int32
	started := make(chan bool, 1)
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			started <- true
			<-r.Context().Done()
			return
		}
		lookuptest.Object(w, r, secret())
	}, withTimeout(400*time.Millisecond))
	q := query(validators.Secret, "a")
	go check(c.NewSession(t.Context()).Facts(), q)
	<-started
	time.Sleep(100 * time.Millisecond)
	if status := check(c.NewSession(t.Context()).Facts(), q); !status.Exists {
		t.Errorf("the Secret was not found: %+v", status)
	}
}

// TestBackoffFreesItsCall has maxConcurrentCalls lookups back off from a busy API server. Another lookup must not wait for them.
func TestBackoffFreesItsCall(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "busy") {
			w.Header().Set("Retry-After", "1")
			lookuptest.Error(w, 429, metav1.StatusReasonTooManyRequests)
			return
		}
		lookuptest.Object(w, r, secret())
	}, withTimeout(3*time.Second))
	for i := range maxConcurrentCalls {
		go check(liveFacts(t, c), query(validators.Secret, fmt.Sprintf("busy-%d", i)))
	}
	time.Sleep(100 * time.Millisecond)
	started := time.Now()
	if status := check(liveFacts(t, c), query(validators.Secret, "a")); !status.Exists || time.Since(started) > time.Second {
		t.Errorf("another lookup: %+v after %v", status, time.Since(started))
	}
}
