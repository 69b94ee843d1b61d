package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// TestNotTheObject has something in the API server's place that answers everything with a 200. What is not the object that was
// asked for says nothing of it: nobody is denied, and nothing counts as being there.
func TestNotTheObject(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":           "",
		"null":              "null",
		"some JSON":         `{"status":"ok"}`,
		"a success":         `{"kind":"Status","apiVersion":"v1","status":"Success"}`,
		"a login page":      "<html>log in</html>",
		"another kind":      `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"credentials"},"data":{}}`,
		"another object":    `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"other"},"data":{}}`,
		"half an object":    `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"credentials"},"da`,
		"an object as list": `{"kind":"LimitRange","apiVersion":"v1","metadata":{"name":"a"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			says := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, body)
			}
			for _, test := range []struct {
				kind   kind
				object string
			}{{workflows, needy}, {profiles, badProfile}} {
				b := newBench(t, test.kind, says)
				if _, answer := b.post(t, review(t, test.object)); !answer.Allowed || len(answer.Warnings) == 0 {
					t.Errorf("%s: answered %+v", test.kind.name, answer)
				}
			}
			b := newBench(t, profiles, says)
			facts := live(t, b)
			o := wanted(validators.Secret, "a")
			if found := facts.CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]; found.Err == nil {
				t.Errorf("a Secret is found: %+v", found)
			}
			if quotas, err := facts.ResourceQuotas("team-b"); err == nil {
				t.Errorf("quotas: %v", quotas)
			}
			if version, err := facts.ServerVersion(); err == nil {
				t.Errorf("version: %s", version)
			}
		})
	}
}

// TestAskedOnce has a Workflow that speaks of one missing ConfigMap a thousand times, and one that speaks of more than anybody
// would.
func TestAskedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		format string
		most   int32
	}{
		"the same":           {`{"name":"p%d","valueFrom":{"configMapKeyRef":{"name":"gone","key":"k"}}}`, 10},
		"each another":       {`{"name":"p%[1]d","valueFrom":{"configMapKeyRef":{"name":"gone-%[1]d","key":"k"}}}`, maxAsked + 10},
		"each, with no time": {`{"name":"p%[1]d","valueFrom":{"configMapKeyRef":{"name":"slow-%[1]d","key":"k"}}}`, 10},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if strings.Contains(r.URL.Path, "slow") {
					<-r.Context().Done()
				}
				apiError(w, 404, metav1.StatusReasonNotFound)
			})
			var parameters []string
			for i := range 1500 {
				parameters = append(parameters, fmt.Sprintf(test.format, i))
			}
			object := strings.Replace(needy, `"entrypoint"`, `"arguments":{"parameters":[`+strings.Join(parameters, ",")+`]},"entrypoint"`, 1)
			b.post(t, review(t, object))
			if got := asked.Load(); got > test.most {
				t.Errorf("%d lookups", got)
			}
			if lines := strings.Count(b.log.String(), "a lookup gave no answer"); strings.Contains(name, "no time") && lines > 10 {
				t.Errorf("%d lines of log", lines)
			}
		})
	}
}

// TestOthersFailure shares a lookup that is about to fail: whoever joined it late asks again.
func TestOthersFailure(t *testing.T) {
	var asked atomic.Int32
	begun := make(chan bool, 1)
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			begun <- true
			<-r.Context().Done()
			return
		}
		apiObject(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}})
	})
	b.withTimeout(400 * time.Millisecond)
	o := wanted(validators.Secret, "a")
	look := func() validators.ObjectStatus {
		return b.facts.open(t.Context()).CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]
	}
	go look()
	<-begun
	time.Sleep(100 * time.Millisecond)
	if found := look(); !found.Exists {
		t.Errorf("%+v", found)
	}
}

// TestWaitingTakesNoPlace has as many lookups as there are places wait for an API server that is busy. Others go on.
func TestWaitingTakesNoPlace(t *testing.T) {
	b := newBench(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "busy") {
			w.Header().Set("Retry-After", "1")
			apiError(w, 429, metav1.StatusReasonTooManyRequests)
			return
		}
		apiObject(w, r, &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}})
	})
	b.withTimeout(3 * time.Second)
	for i := range callsAtOnce {
		go func() {
			o := wanted(validators.Secret, fmt.Sprintf("busy-%d", i))
			live(t, b).CheckObjects("team-a", []validators.ObjectQuery{o})
		}()
	}
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	o := wanted(validators.Secret, "a")
	if found := live(t, b).CheckObjects("team-a", []validators.ObjectQuery{o})[o.ObjectRef]; !found.Exists || time.Since(began) > time.Second {
		t.Errorf("%+v after %v", found, time.Since(began))
	}
}

// TestTooHeavy has a Workflow that is small on the wire and large in memory.
func TestTooHeavy(t *testing.T) {
	b := newBench(t, workflows, nil)
	object := strings.Replace(needy, `"templates":[`, `"templates":[`+strings.Repeat("{},", maxValues), 1)
	if _, answer := b.post(t, review(t, object)); !answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "values, more than") {
		t.Errorf("answered %.300v", answer)
	}
	if got := testutil.CollectAndCount(b.metrics.reviews); got == 0 {
		t.Error("not counted")
	}
}

// TestMemoryIsBounded keeps more than there is room for, and nothing for longer than it may.
func TestMemoryIsBounded(t *testing.T) {
	m := newCache(20 * time.Millisecond)
	for i := range 100 {
		m.keep(fmt.Sprint(i), fact{answer: i, bytes: 1 << 20})
	}
	m.keep("huge", fact{bytes: maxEntryBytes})
	if m.bytes > maxCacheBytes || len(m.facts) < 20 || len(m.facts) != len(m.queue) {
		t.Errorf("%d bytes, %d facts, %d in the queue", m.bytes, len(m.facts), len(m.queue))
	}
	if _, ok := m.get("huge"); ok {
		t.Error("one fact crowds out the others")
	}
	if found, ok := m.get("99"); !ok || found.answer != 99 {
		t.Error("the last fact is not kept")
	}
	time.Sleep(30 * time.Millisecond)
	if _, ok := m.get("99"); ok || m.bytes != 0 || len(m.queue) != 0 {
		t.Errorf("%d bytes are left", m.bytes)
	}
}
