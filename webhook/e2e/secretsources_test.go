package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// specPromises are the kinds of objects that promise Secrets in the tests, each with a spec that promises the Secret "promised".
var specPromises = map[string]string{
	"ExternalSecret":      `{target: {name: promised}}`,
	"SealedSecret":        `{template: {metadata: {name: promised}}}`,
	"Certificate":         `{secretName: promised}`,
	"SecretProviderClass": `{secretObjects: [{secretName: promised}]}`,
}

// TestSecretSources has Secrets that other objects promise: with the permission to list those objects, and without.
func TestSecretSources(t *testing.T) {
	const namespace = "secret-sources"
	ensureNamespace(t, namespace)
	createSecretSourceKinds(t)
	create := func(secret string) ([]string, error) {
		u := newUser(t)
		err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(runWithSecret, namespace, secret)), client.DryRunAll)
		return u.warnings.all(), err
	}
	if err := poll(20*time.Second, func() error {
		if warnings, err := create("promised"); err != nil || !strings.Contains(strings.Join(warnings, " "), "could not be listed") {
			return fmt.Errorf("without the permission: %v, warnings %q", err, warnings)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	allowSecretSources(t, namespace)
	for _, kind := range validators.SecretSourceKinds {
		spec, ok := specPromises[kind.Kind]
		if !ok {
			continue
		}
		source := parseObject(t, fmt.Sprintf("{apiVersion: %s/v1, kind: %s, metadata: {namespace: %s, name: source}, spec: %s}",
			kind.Group, kind.Kind, namespace, spec))
		if err := poll(20*time.Second, func() error { return env.admin.Create(t.Context(), source.DeepCopy()) }); err != nil {
			t.Fatalf("%s: %v", kind.Kind, err)
		}
		warnings, err := create("promised")
		if err != nil || !strings.Contains(strings.Join(warnings, " "), kind.Kind+" 'source' may create it") {
			t.Errorf("%s promises the Secret: %v, warnings %q", kind.Kind, err, warnings)
		}
		if _, err := create("other"); !denied(err) {
			t.Errorf("%s promises another Secret: %v", kind.Kind, err)
		}
		if err := env.admin.Delete(t.Context(), source); err != nil {
			t.Fatal(err)
		}
	}
}

const runWithSecret = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: with-secret-, namespace: %s}
spec:
  entrypoint: main
  templates: [{name: main, container: {image: busybox, command: [x], envFrom: [{secretRef: {name: %s}}]}}]
`

// createSecretSourceKinds makes the API server serve the kinds of specPromises until the test ends.
func createSecretSourceKinds(t *testing.T) {
	t.Helper()
	for _, kind := range validators.SecretSourceKinds {
		if _, ok := specPromises[kind.Kind]; ok {
			createCRD(t, kind)
		}
	}
}

// allowSecretSources lets the webhook list those kinds until the test ends. It returns when a missing Secret is a denial again.
func allowSecretSources(t *testing.T, namespace string) {
	t.Helper()
	if err := env.cluster.Apply(t.Context(), "manifests/components/secret-sources"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kfp-preflight-secret-sources"}}
		if err := env.admin.Delete(context.Background(), binding); err != nil {
			t.Error(err)
		}
	})
	if err := poll(20*time.Second, func() error {
		run := parseObject(t, fmt.Sprintf(runWithSecret, namespace, "nowhere"))
		if err := newUser(t).Create(t.Context(), run, client.DryRunAll); !denied(err) {
			return fmt.Errorf("nothing promises the Secret, and the run is not denied: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// createCRD creates a CustomResourceDefinition that accepts any object of a kind. It is removed when the test ends.
func createCRD(t *testing.T, kind validators.SecretSourceKind) {
	t.Helper()
	crd := parseObject(t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[2]s.%[1]s
  annotations: {api-approved.kubernetes.io: unapproved}
spec:
  group: %[1]s
  scope: Namespaced
  names: {plural: %[2]s, singular: %[3]s, kind: %[4]s}
  versions:
    - {name: v1, served: true, storage: true, schema: &any {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
    - {name: v1alpha1, served: true, storage: false, schema: *any}
`, kind.Group, kind.Resource, strings.ToLower(kind.Kind), kind.Kind))
	// One of the same name may still be being deleted.
	if err := poll(20*time.Second, func() error { return env.admin.Create(t.Context(), crd.DeepCopy()) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.admin.Delete(context.Background(), crd); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	if err := poll(20*time.Second, func() error {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(kind.Group + "/v1")
		list.SetKind(kind.Kind + "List")
		return env.admin.List(t.Context(), list, client.InNamespace("default"))
	}); err != nil {
		t.Fatal(err)
	}
}
