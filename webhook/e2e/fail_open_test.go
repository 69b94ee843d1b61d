package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestWebhookDown stops the webhook. With the shipped configuration, the API server must then admit everything.
func TestWebhookDown(t *testing.T) {
	if err := env.stop(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := startWebhook(); err != nil {
			t.Fatal(err)
		}
	}()
	ensureNamespace(t, "down")
	if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(badProfile, "down"))); err != nil {
		t.Errorf("the Profile was not admitted: %v", err)
	}
	if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "down", "nowhere", "key"))); err != nil {
		t.Errorf("the Workflow was not admitted: %v", err)
	}
}

// TestForbiddenLookup removes the webhook's permissions. It must then admit everything, with a warning about what it could
// not check.
func TestForbiddenLookup(t *testing.T) {
	binding := &rbacv1.ClusterRoleBinding{}
	if err := env.admin.Get(t.Context(), types.NamespacedName{Name: "kfp-preflight"}, binding); err != nil {
		t.Fatal(err)
	}
	if err := env.admin.Delete(t.Context(), binding.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	binding.ResourceVersion, binding.UID = "", ""
	ensureNamespace(t, "forbidden")
	try := func(o *unstructured.Unstructured) ([]string, error) {
		u := newUser(t)
		err := u.Create(t.Context(), o, client.DryRunAll)
		return u.warnings.all(), err
	}
	for want, text := range map[string]string{
		"workflow-secret-missing: whether Secret 'nowhere' exists in namespace 'forbidden' was not checked: " +
			"kfp-preflight is not permitted to read it.": fmt.Sprintf(workflowWithSecret, "forbidden", "nowhere", "key"),
		"profile-quota-compute: the quota was not checked against pipeline pods: ConfigMap 'workflow-controller-configmap' in " +
			"namespace 'kubeflow' could not be read: kfp-preflight is not permitted to read it.": fmt.Sprintf(badProfile, "forbidden"),
	} {
		var warnings []string
		if err := poll(10*time.Second, func() (err error) { // the authorizer notices with a delay
			warnings, err = try(parseObject(t, text))
			return err
		}); err != nil {
			t.Errorf("denied although the lookup failed: %v", err)
		}
		if !slices.Contains(warnings, want) {
			t.Errorf("warnings %q, want %q among them", warnings, want)
		}
	}
	if err := env.admin.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	if err := poll(10*time.Second, func() error {
		if _, err := try(parseObject(t, fmt.Sprintf(workflowWithSecret, "forbidden", "nowhere", "key"))); !denied(err) {
			return errors.New("the permissions are not back")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
