package e2e

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/webhook"
)

const plainWorkflow = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: plain-, namespace: %s}
spec:
  entrypoint: main
  templates: [{name: main, container: {image: busybox, command: [x]}}]
`

// TestConfirmByDryRun has a namespace whose quota refuses every pod, until a mutating webhook sets the resources of pods there, as policy
// engines do. With confirm: dry-run, the API server has the last word. The permission for that is good for dry runs only.
func TestConfirmByDryRun(t *testing.T) {
	const namespace = "confirm"
	ensureNamespace(t, namespace)
	createComputeQuota(t, namespace)
	if err := env.cluster.Apply(t.Context(), "manifests/components/dry-run"); err != nil {
		t.Fatal(err)
	}
	before := webhook.DefaultConfig()
	before.Lookups.Remember.Duration = cacheTTL
	confirming := before
	confirming.Confirm = webhook.ConfirmByDryRun
	if err := writeConfig(confirming); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := writeConfig(before); err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second) // until the webhook has read it
	})
	create := func() error {
		return env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(plainWorkflow, namespace)), client.DryRunAll)
	}
	confirmed := func(result string) float64 { return counterSum(t, "kfp_preflight_dry_runs_total", result) }
	if err := poll(20*time.Second, func() error {
		if err := create(); !denied(err) || confirmed("refused") == 0 {
			return fmt.Errorf("without the mutating webhook: %v, %v refusals", err, confirmed("refused"))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	err := create()
	const quoted = "The API server refuses the pod: 'failed quota: compute: must specify cpu for: init,main,wait"
	if !denied(err) || !strings.Contains(err.Error(), quoted) {
		t.Errorf("the denial does not quote the API server: %v", err)
	}
	if code, out := checkConfirmed(t, namespace); code != 1 || !strings.Contains(out, quoted) {
		t.Errorf("check --dry-run=server exits with %d:\n%s", code, out)
	}

	setResources := newResourceSetter(t, namespace)
	if err := poll(20*time.Second, func() error { return create() }); err != nil {
		t.Errorf("the API server admits the pods, and the run is denied: %v", err)
	}
	if confirmed("admitted") == 0 || setResources.calls() == 0 {
		t.Errorf("%v disagreements counted, %d calls of the mutating webhook", confirmed("admitted"), setResources.calls())
	}

	if code, out := checkConfirmed(t, namespace); code != 0 {
		t.Errorf("check --dry-run=server exits with %d:\n%s", code, out)
	}

	// The permission: dry runs only.
	api, err := kubernetes.NewForConfig(env.cluster.Webhook)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "real"}}
	pod.Spec.Containers = []corev1.Container{{Name: "a", Image: "a"}}
	pods := api.CoreV1().Pods(namespace)
	if err := poll(20*time.Second, func() error {
		_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "dry runs only") {
			return fmt.Errorf("creating a real pod: %v", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Errorf("creating a pod in a dry run: %v", err)
	}
}

// createComputeQuota creates a quota that is enforced already.
func createComputeQuota(t *testing.T, namespace string) {
	t.Helper()
	quota := &corev1.ResourceQuota{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "compute"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"cpu": resource.MustParse("10")}},
	}
	if err := env.admin.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, corev1.ResourceList{"cpu": resource.MustParse("0")}
	if err := env.admin.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
}

// counterSum returns the sum of the series of a counter that have a label value.
func counterSum(t *testing.T, name, value string) (sum float64) {
	t.Helper()
	families, err := env.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && containsAll(m.String(), []string{value}) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// resourceSetter is a mutating webhook that sets the cpu of all containers, as a policy engine does, and adds a sidecar, as a service
// mesh does.
type resourceSetter struct {
	server *httptest.Server
	count  chan struct{}
}

func (r *resourceSetter) calls() int { return len(r.count) }

// checkConfirmed runs check for the Workflow, with --dry-run=server, and returns the exit code and the output.
func checkConfirmed(t *testing.T, namespace string) (int, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(plainWorkflow, namespace)), 0o600); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(env.cluster.Dir, "admin.kubeconfig")
	out, errOut, code := runProgram(t, "check", "--kubeconfig", kubeconfig, "--dry-run=server", "-f", file)
	return code, out + errOut
}

// newResourceSetter installs a resourceSetter for the pods of a namespace.
func newResourceSetter(t *testing.T, namespace string) *resourceSetter {
	t.Helper()
	r := &resourceSetter{count: make(chan struct{}, 10_000)}
	r.server = httptest.NewTLSServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
	none, url := admissionregistrationv1.SideEffectClassNone, r.server.URL
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: "resources.example.com"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "resources.example.com", SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
	if err := env.admin.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.admin.Delete(context.Background(), configuration); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *resourceSetter) serve(w http.ResponseWriter, req *http.Request) {
	r.count <- struct{}{}
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	if err := json.NewDecoder(req.Body).Decode(&review); err != nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	resources := map[string]any{"requests": map[string]string{"cpu": "1m"}}
	patch := []map[string]any{{
		"op": "add", "path": "/spec/containers/-",
		"value": map[string]any{"name": "istio-proxy", "image": "proxyv2", "resources": resources},
	}}
	for list, n := range map[string]int{"containers": len(pod.Spec.Containers), "initContainers": len(pod.Spec.InitContainers)} {
		for i := range n {
			patch = append(patch, map[string]any{
				"op": "add", "path": fmt.Sprintf("/spec/%s/%d/resources", list, i), "value": resources,
			})
		}
	}
	text, _ := json.Marshal(patch)
	jsonPatch := admissionv1.PatchTypeJSONPatch
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: text, PatchType: &jsonPatch}
	_ = json.NewEncoder(w).Encode(review)
}
