package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// serveEmptyCluster answers the lookups of a cluster with nothing in it but a stock workflow-controller.
func serveEmptyCluster(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/configmaps/workflow-controller-configmap"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"workflow-controller-configmap"}}`)
	case !serveNoLimits(w, r):
		lookuptest.NotFound(w)
	}
}

// TestNamespaceModes has the same finding in each mode of a namespace: from the path for a Workflow, from the object's own label for a Profile.
func TestNamespaceModes(t *testing.T) {
	for name, want := range map[validators.Mode]struct {
		allowed  bool
		warnings int
		audit    string
		passed   string
	}{
		"":               {allowed: false},
		validators.Deny:  {allowed: false},
		validators.Warn:  {allowed: true, warnings: 1, audit: "warn"},
		validators.Audit: {allowed: true, audit: "audit"},
		validators.Off:   {allowed: true, passed: passMode},
	} {
		check := func(t *testing.T, b testHandler, answer *admissionv1.AdmissionResponse) {
			t.Helper()
			_, annotated := answer.AuditAnnotations[want.audit]
			if answer.Allowed != want.allowed || len(answer.Warnings) != want.warnings || annotated != (want.audit != "") {
				t.Errorf("answered %+v", answer)
			}
			if want.passed != "" && !strings.Contains(b.log.String(), `"passed"="`+want.passed+`"`) {
				t.Errorf("log: %s", b.log)
			}
		}
		t.Run("Workflow/"+string(name), func(t *testing.T) {
			b := newTestHandler(t, workflows, serveEmptyCluster)
			ceiling, served := workflows.paths()[strings.TrimSuffix("/validate-workflow/"+string(name), "/")]
			if !served {
				t.Fatal("there is no path for it")
			}
			b.config.Policy = b.config.Under(ceiling)
			_, answer := b.post(t, reviewJSON(t, workflowWithSecret))
			check(t, b, answer)
		})
		t.Run("Profile/"+string(name), func(t *testing.T) {
			b := newTestHandler(t, profiles, serveEmptyCluster)
			label := fmt.Sprintf(`"name":"team-a","labels":{"%s":"%s"}`, validators.ModeLabel, name)
			_, answer := b.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`, label, 1)))
			check(t, b, answer)
		})
	}
	if paths := profiles.paths(); len(paths) != 1 {
		t.Errorf("Profiles are served at %v", paths)
	}
}

// TestLabelIsNoMode: what is no mode counts for nothing, and is told.
func TestUnknownModeInLabel(t *testing.T) {
	b := newTestHandler(t, profiles, serveEmptyCluster)
	_, answer := b.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`, `"name":"team-a","labels":{"kfp-preflight.dev/mode":"Warn"}`, 1)))
	if answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "'Warn', which is none of deny, warn, audit and off") {
		t.Errorf("answered %+v", answer)
	}
}

// TestModeRaises: a namespace may be stricter than the configuration, which is how a rollout begins with one.
func TestNamespaceModeOverridesCeiling(t *testing.T) {
	b := newTestHandler(t, workflows, serveEmptyCluster)
	b.config.Ceiling = validators.Audit
	b.config.Policy = b.config.Under(validators.Deny)
	if _, answer := b.post(t, reviewJSON(t, workflowWithSecret)); answer.Allowed {
		t.Errorf("answered %+v", answer)
	}
}

// TestBusy: what there is no memory for waits, and passes when it has waited long enough.
func TestReviewWithoutFreeMemory(t *testing.T) {
	b := newTestHandler(t, workflows, nil)
	b.timeout = "50ms"
	b.limiter = memoryLimiter{newByteSemaphore(1000), newByteSemaphore(1000)}
	for space, check := range map[*byteSemaphore]func(*http.Response, *admissionv1.AdmissionResponse){
		b.limiter.bodies: func(response *http.Response, _ *admissionv1.AdmissionResponse) {
			if response.StatusCode != http.StatusServiceUnavailable || testutil.ToFloat64(b.metrics.badRequests.WithLabelValues("busy")) != 1 {
				t.Errorf("status %d", response.StatusCode)
			}
		},
		b.limiter.objects: func(_ *http.Response, answer *admissionv1.AdmissionResponse) {
			if !answer.Allowed || answer.AuditAnnotations["unchecked"] != passBusy || len(answer.Warnings) != 1 {
				t.Errorf("answered %+v", answer)
			}
		},
	} {
		giveBack, err := space.Acquire(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		check(b.post(t, reviewJSON(t, workflowWithSecret)))
		giveBack()
	}
	// Both are free again: nothing that was refused holds anything.
	for _, space := range []*byteSemaphore{b.limiter.bodies, b.limiter.objects} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := space.Acquire(ctx, 1000); err != nil {
			t.Error("not all is given back")
		}
		cancel()
	}
}

// TestSlowBody: who sends a review byte by byte is cut off when its time is up.
func TestSlowBodyTimesOut(t *testing.T) {
	b := newTestHandler(t, workflows, nil)
	server := httptest.NewServer(b)
	defer server.Close()
	body, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	go func() {
		for {
			if _, err := feed.Write([]byte(" ")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := http.Post(server.URL+"?timeout=200ms", "application/json", body); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				t.Error("half a review was answered")
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
	}
}

// TestManyWarnings: the API server cuts each warning when all of them are too long together.
func TestWarningsAreBounded(t *testing.T) {
	for count := range 12 {
		for _, length := range []int{10, 1000, 5000} {
			a := answer{}
			for range count {
				a.remark("%s", strings.Repeat("x", length))
			}
			warnings, all := a.warnings(), 0
			for _, w := range warnings {
				all += len(w)
			}
			if len(warnings) > maxWarnings+1 || len(warnings) > 1 && all > 4096 {
				t.Errorf("%d warnings of %d characters: %d of them, with %d", count, length, len(warnings), all)
			}
			if shown := len(warnings); shown < count && warnings[shown-1] != fmt.Sprintf("and %d more warnings of kfp-preflight", count-shown+1) {
				t.Errorf("the last is %s", warnings[shown-1])
			}
		}
	}
}
