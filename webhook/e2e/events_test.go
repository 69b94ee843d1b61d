package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/webhook"
)

// TestEvents has a Workflow denied over and over: the namespace has one event that counts, and none of what was only tried.
func TestEvents(t *testing.T) {
	documents, err := cluster.Documents([]byte(read(t, "../../manifests/components/events/rbac.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		o := decode(t, document)
		if err := env.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = env.admin.Delete(context.Background(), o) })
	}
	const namespace = "told"
	ensureNamespace(t, namespace)
	withoutEvents := webhook.DefaultConfig()
	withoutEvents.Lookups.Remember.Duration = cacheTTL
	withEvents := withoutEvents
	withEvents.Events = true
	if err := writeConfig(withEvents); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := writeConfig(withoutEvents); err != nil {
			t.Error(err)
		}
	}()
	deny := func(secret string, options ...client.CreateOption) {
		t.Helper()
		if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, namespace, secret, "key")), options...); !denied(err) {
			t.Fatalf("not denied: %v", err)
		}
	}
	var last *corev1.Event
	if err := poll(30*time.Second, func() error {
		deny("tried", client.DryRunAll)
		deny("nowhere")
		var events corev1.EventList
		if err := env.admin.List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
			return err
		}
		for i := range events.Items {
			if last = &events.Items[i]; strings.Contains(last.Message, "tried") {
				t.Fatalf("an event of a dry run: %s", last.Message)
			}
		}
		if len(events.Items) > 1 {
			t.Fatalf("%d events", len(events.Items))
		}
		if last == nil || last.Count < 2 {
			return errors.New("there is no event that counts")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if last.Reason != "WorkflowDenied" || last.Type != corev1.EventTypeWarning || last.InvolvedObject.Kind != "Namespace" ||
		last.InvolvedObject.Name != namespace || !strings.Contains(last.Message, "workflow-secret-missing: ") {
		t.Errorf("the event is %+v", last)
	}
}
