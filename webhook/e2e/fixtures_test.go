package e2e

import (
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// badProfile is a Profile whose quota every pipeline pod violates. Its argument is the name.
const badProfile = `
apiVersion: kubeflow.org/v1
kind: Profile
metadata:
  name: %s
spec:
  owner: {kind: User, name: user@example.com}
  resourceQuotaSpec:
    hard: {cpu: "2", memory: 2Gi}
`

// workflowWithSecret is a Workflow that needs one key of one Secret. Its arguments are the namespace, the Secret and
// the key.
const workflowWithSecret = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: needy-
  namespace: %s
spec:
  entrypoint: main
  templates:
    - name: main
      container:
        image: busybox
        env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: %s, key: %s}}}]
`

// denied reports whether err is a denial by the webhook.
func denied(err error) bool { return apierrors.IsInvalid(err) }

// withoutWebhook calls do while the webhook configuration is deleted.
func withoutWebhook(t *testing.T, do func()) {
	t.Helper()
	configuration := env.cluster.WebhookConfiguration()
	probe := func() error {
		return env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(badProfile, "probe")), client.DryRunAll)
	}
	if err := env.admin.Delete(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	if err := poll(20*time.Second, probe); err != nil {
		t.Fatal(err)
	}
	do()
	configuration.ResourceVersion, configuration.UID = "", ""
	if err := env.admin.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	if err := poll(20*time.Second, func() error {
		if err := probe(); !denied(err) {
			return fmt.Errorf("the API server does not call the webhook again: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
