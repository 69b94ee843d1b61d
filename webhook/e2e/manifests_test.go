package e2e

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// TestPermissions checks that the shipped ServiceAccount has the permissions that the webhook needs, and lacks those that it
// must not have.
func TestPermissions(t *testing.T) {
	c, err := kubernetes.NewForConfig(env.cluster.Webhook)
	if err != nil {
		t.Fatal(err)
	}
	core := c.CoreV1()
	get, list := metav1.GetOptions{}, metav1.ListOptions{}
	object := metav1.ObjectMeta{Name: "x"}
	errOf := func(_ any, err error) error { return err }
	getPath := func(path string) error { return core.RESTClient().Get().AbsPath(path).Do(t.Context()).Error() }
	for what, err := range map[string]error{
		"get a Secret":                  errOf(core.Secrets("default").Get(t.Context(), "nowhere", get)),
		"list LimitRanges":              errOf(core.LimitRanges("default").List(t.Context(), list)),
		"list ResourceQuotas":           errOf(core.ResourceQuotas("default").List(t.Context(), list)),
		"list PriorityClasses":          getPath("/apis/scheduling.k8s.io/v1/priorityclasses"),
		"read the version":              getPath("/version"),
		"read Argo's configuration":     errOf(core.ConfigMaps("kubeflow").Get(t.Context(), "workflow-controller-configmap", get)),
		"get a ServiceAccount":          errOf(core.ServiceAccounts("default").Get(t.Context(), "default", get)),
		"get a claim":                   errOf(core.PersistentVolumeClaims("default").Get(t.Context(), "x", get)),
		"get a PriorityClass":           getPath("/apis/scheduling.k8s.io/v1/priorityclasses/x"),
		"get a WorkflowTemplate":        getPath("/apis/argoproj.io/v1alpha1/namespaces/default/workflowtemplates/x"),
		"get a ClusterWorkflowTemplate": getPath("/apis/argoproj.io/v1alpha1/clusterworkflowtemplates/x"),
		"list LimitRanges of another":   errOf(core.LimitRanges("kubeflow").List(t.Context(), list)),
	} {
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"list Secrets":     errOf(core.Secrets("default").List(t.Context(), list)),
		"watch Secrets":    errOf(core.Secrets("default").Watch(t.Context(), list)),
		"list all Secrets": errOf(core.Secrets("").List(t.Context(), list)),
		"create a Secret":  errOf(core.Secrets("default").Create(t.Context(), &corev1.Secret{ObjectMeta: object}, metav1.CreateOptions{})),
		"delete a Secret":  core.Secrets("default").Delete(t.Context(), "x", metav1.DeleteOptions{}),
		"list ConfigMaps":  errOf(core.ConfigMaps("kubeflow").List(t.Context(), list)),
		"create a ConfigMap": errOf(core.ConfigMaps("default").Create(
			t.Context(), &corev1.ConfigMap{ObjectMeta: object}, metav1.CreateOptions{})),
		"a ServiceAccount's token": errOf(core.ServiceAccounts("default").CreateToken(
			t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})),
		"list Pods":       errOf(core.Pods("default").List(t.Context(), list)),
		"list namespaces": errOf(core.Namespaces().List(t.Context(), list)),
		"change its own webhook configuration": c.AdmissionregistrationV1().ValidatingWebhookConfigurations().
			Delete(t.Context(), "kfp-preflight", metav1.DeleteOptions{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s is not forbidden: %v", what, err)
		}
	}
}

// TestCertManagerOverlay checks that the objects of the overlay refer to each other correctly. It does not create them,
// because the test cluster lacks the types of cert-manager.
func TestCertManagerOverlay(t *testing.T) {
	rendered, err := env.cluster.Render(t.Context(), "manifests/overlays/cert-manager")
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]*unstructured.Unstructured{}
	var deployment appsv1.Deployment
	for _, document := range rendered {
		o := decode(t, document)
		objects[o.GetKind()+"/"+o.GetName()] = o
		if o.GetKind() == "Deployment" {
			if err := yaml.UnmarshalStrict(document, &deployment); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{
		"Issuer/kfp-preflight-selfsigned", "Issuer/kfp-preflight-ca",
		"Certificate/kfp-preflight-ca", "Certificate/kfp-preflight", "Service/kfp-preflight",
	} {
		if objects[name] == nil {
			t.Fatalf("there is no %s", name)
		}
	}
	injected := objects["ValidatingWebhookConfiguration/kfp-preflight"].GetAnnotations()["cert-manager.io/inject-ca-from"]
	namespace, name, _ := strings.Cut(injected, "/")
	certificate := objects["Certificate/"+name]
	if certificate == nil || certificate.GetNamespace() != namespace {
		t.Fatalf("the CA is injected from %q, which is not a Certificate", injected)
	}
	secret, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	if volume := deployment.Spec.Template.Spec.Volumes[0]; volume.Secret == nil || volume.Secret.SecretName != secret {
		t.Errorf("the certificate is stored in Secret %s, but the Deployment mounts %+v", secret, volume)
	}
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	service := objects["Service/kfp-preflight"]
	if host := service.GetName() + "." + service.GetNamespace() + ".svc"; !slices.Contains(names, host) {
		t.Errorf("the certificate is for %v, but the API server calls %s", names, host)
	}
	issuer, _, _ := unstructured.NestedString(certificate.Object, "spec", "issuerRef", "name")
	ca, _, _ := unstructured.NestedString(objects["Issuer/"+issuer].Object, "spec", "ca", "secretName")
	if stored, _, _ := unstructured.NestedString(objects["Certificate/kfp-preflight-ca"].Object, "spec", "secretName"); ca != stored {
		t.Errorf("the issuer signs with Secret %s, but the CA is in %s", ca, stored)
	}
}
