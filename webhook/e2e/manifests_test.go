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

// TestPermissions asks the authorizer, as the shipped ServiceAccount, for what the webhook needs and for what it must
// not have.
func TestPermissions(t *testing.T) {
	c, err := kubernetes.NewForConfig(env.cluster.Webhook)
	if err != nil {
		t.Fatal(err)
	}
	core := c.CoreV1()
	get, list := metav1.GetOptions{}, metav1.ListOptions{}
	call := func(err error) error { return err }
	first := func(_ any, err error) error { return call(err) }
	for what, err := range map[string]error{
		"get a Secret":                  first(core.Secrets("default").Get(t.Context(), "nowhere", get)),
		"list LimitRanges":              first(core.LimitRanges("default").List(t.Context(), list)),
		"list ResourceQuotas":           first(core.ResourceQuotas("default").List(t.Context(), list)),
		"list PriorityClasses":          core.RESTClient().Get().AbsPath("/apis/scheduling.k8s.io/v1/priorityclasses").Do(t.Context()).Error(),
		"read the version":              core.RESTClient().Get().AbsPath("/version").Do(t.Context()).Error(),
		"read Argo's configuration":     first(core.ConfigMaps("kubeflow").Get(t.Context(), "workflow-controller-configmap", get)),
		"get a ServiceAccount":          first(core.ServiceAccounts("default").Get(t.Context(), "default", get)),
		"get a claim":                   first(core.PersistentVolumeClaims("default").Get(t.Context(), "x", get)),
		"get a PriorityClass":           core.RESTClient().Get().AbsPath("/apis/scheduling.k8s.io/v1/priorityclasses/x").Do(t.Context()).Error(),
		"get a WorkflowTemplate":        core.RESTClient().Get().AbsPath("/apis/argoproj.io/v1alpha1/namespaces/default/workflowtemplates/x").Do(t.Context()).Error(),
		"get a ClusterWorkflowTemplate": core.RESTClient().Get().AbsPath("/apis/argoproj.io/v1alpha1/clusterworkflowtemplates/x").Do(t.Context()).Error(),
		"list LimitRanges of another":   first(core.LimitRanges("kubeflow").List(t.Context(), list)),
	} {
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"list Secrets":             first(core.Secrets("default").List(t.Context(), list)),
		"watch Secrets":            first(core.Secrets("default").Watch(t.Context(), list)),
		"list all Secrets":         first(core.Secrets("").List(t.Context(), list)),
		"create a Secret":          first(core.Secrets("default").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})),
		"delete a Secret":          core.Secrets("default").Delete(t.Context(), "x", metav1.DeleteOptions{}),
		"list ConfigMaps":          first(core.ConfigMaps("kubeflow").List(t.Context(), list)),
		"create a ConfigMap":       first(core.ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})),
		"a ServiceAccount's token": first(core.ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})),
		"list Pods":                first(core.Pods("default").List(t.Context(), list)),
		"list namespaces":          first(core.Namespaces().List(t.Context(), list)),
		"change its own webhook configuration": c.AdmissionregistrationV1().ValidatingWebhookConfigurations().
			Delete(t.Context(), "kfp-preflight", metav1.DeleteOptions{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s is not forbidden: %v", what, err)
		}
	}
}

// TestCertManagerOverlay checks that the parts of the overlay that name each other do so: cert-manager's own types are not
// in the test cluster.
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
	for _, name := range []string{"Issuer/kfp-preflight-selfsigned", "Issuer/kfp-preflight-ca", "Certificate/kfp-preflight-ca", "Certificate/kfp-preflight", "Service/kfp-preflight"} {
		if objects[name] == nil {
			t.Fatalf("there is no %s", name)
		}
	}
	injected := objects["ValidatingWebhookConfiguration/kfp-preflight"].GetAnnotations()["cert-manager.io/inject-ca-from"]
	namespace, name, _ := strings.Cut(injected, "/")
	certificate := objects["Certificate/"+name]
	if certificate == nil || certificate.GetNamespace() != namespace {
		t.Fatalf("the CA is to come from %q, which is no Certificate", injected)
	}
	secret, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	if volume := deployment.Spec.Template.Spec.Volumes[0]; volume.Secret == nil || volume.Secret.SecretName != secret {
		t.Errorf("the certificate goes to Secret %s, the Deployment mounts %+v", secret, volume)
	}
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	service := objects["Service/kfp-preflight"]
	if host := service.GetName() + "." + service.GetNamespace() + ".svc"; !slices.Contains(names, host) {
		t.Errorf("the certificate is for %v, the API server calls %s", names, host)
	}
	issuer, _, _ := unstructured.NestedString(certificate.Object, "spec", "issuerRef", "name")
	ca, _, _ := unstructured.NestedString(objects["Issuer/"+issuer].Object, "spec", "ca", "secretName")
	if made, _, _ := unstructured.NestedString(objects["Certificate/kfp-preflight-ca"].Object, "spec", "secretName"); ca != made {
		t.Errorf("the issuer signs with Secret %s, the CA is in %s", ca, made)
	}
}
