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
)

// TestEvents creates Workflows that are denied. The namespace must get one Event that counts them, and none for dry runs.
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
	const namespace = "events"
	ensureNamespace(t, namespace)
	withoutEvents := testConfig()
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
		workflow := parseObject(t, fmt.Sprintf(workflowWithSecret, namespace, secret, "key"))
		if err := env.admin.Create(t.Context(), workflow, options...); !denied(err) {
			t.Fatalf("not denied: %v", err)
		}
	}
	var last *corev1.Event
	if err := poll(30*time.Second, func() error {
		deny("dry-run-secret", client.DryRunAll)
		deny("nowhere")
		var events corev1.EventList
		if err := env.admin.List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
			return err
		}
		for i := range events.Items {
			if last = &events.Items[i]; strings.Contains(last.Message, "dry-run-secret") {
				t.Fatalf("there is an Event for a dry run: %s", last.Message)
			}
		}
		if len(events.Items) > 1 {
			t.Fatalf("%d Events, want 1", len(events.Items))
		}
		if last == nil || last.Count < 2 {
			return errors.New("there is no Event with a count of at least 2")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if last.Reason != "WorkflowDenied" || last.Type != corev1.EventTypeWarning || last.InvolvedObject.Kind != "Namespace" ||
		last.InvolvedObject.Name != namespace || !strings.Contains(last.Message, "workflow-secret-missing: ") {
		t.Errorf("the Event is %+v", last)
	}
}
