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

// TestSecretSources has Secrets that other objects promise: with the permission to list those objects, and without.
func TestSecretSources(t *testing.T) {
	const namespace = "secret-sources"
	ensureNamespace(t, namespace)
	kinds := map[string]string{ // with a spec that promises the Secret "promised"
		"ExternalSecret":      `{target: {name: promised}}`,
		"SealedSecret":        `{template: {metadata: {name: promised}}}`,
		"Certificate":         `{secretName: promised}`,
		"SecretProviderClass": `{secretObjects: [{secretName: promised}]}`,
	}
	for _, kind := range validators.SecretSourceKinds {
		if _, ok := kinds[kind.Kind]; ok {
			createCRD(t, kind)
		}
	}
	create := func(secret string) ([]string, error) {
		u := newUser(t)
		err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(runWithSecret, namespace, secret)), client.DryRunAll)
		return u.warnings.all(), err
	}
	// Without the permission: a warning that says what could not be listed.
	if warnings, err := create("promised"); err != nil || !strings.Contains(strings.Join(warnings, " "), "could not be listed") {
		t.Errorf("without the permission: %v, warnings %q", err, warnings)
	}
	if err := env.cluster.Apply(t.Context(), "manifests/components/secret-sources"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kfp-preflight-secret-sources"}}
		binding.TypeMeta = metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"}
		if err := env.admin.Delete(context.Background(), binding); err != nil {
			t.Error(err)
		}
	})
	if err := poll(20*time.Second, func() error {
		if _, err := create("promised"); !denied(err) {
			return fmt.Errorf("nothing promises the Secret, and the run is not denied: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range validators.SecretSourceKinds {
		spec, ok := kinds[kind.Kind]
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

// createCRD creates a CustomResourceDefinition that accepts any object of a kind, in version v1. It is removed when the test ends.
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
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, kind.Group, kind.Resource, strings.ToLower(kind.Kind), kind.Kind))
	if err := env.admin.Create(t.Context(), crd); err != nil {
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
