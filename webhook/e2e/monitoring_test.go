package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/webhook"
)

// TestMonitoringComponent adds the component monitoring to each overlay, and checks that the objects refer to each other
// correctly.
func TestMonitoringComponent(t *testing.T) {
	overlays, err := os.ReadDir("../../manifests/overlays")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		t.Run(overlay.Name(), func(t *testing.T) {
			objects := renderWith(t, overlay.Name(), "monitoring")
			var deployment appsv1.Deployment
			var service corev1.Service
			var policy networkingv1.NetworkPolicy
			var binding rbacv1.ClusterRoleBinding
			var role rbacv1.ClusterRole
			var dashboard corev1.ConfigMap
			for name, into := range map[string]any{
				"Deployment/kfp-preflight": &deployment, "Service/kfp-preflight": &service, "NetworkPolicy/kfp-preflight": &policy,
				"ClusterRoleBinding/kfp-preflight-metrics-auth": &binding, "ClusterRole/kfp-preflight-metrics-auth": &role,
				"ConfigMap/kfp-preflight-dashboard": &dashboard,
			} {
				if err := yaml.UnmarshalStrict(objects[name], into); err != nil || objects[name] == nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			monitor := decode(t, objects["ServiceMonitor/kfp-preflight"])

			endpoints, _, _ := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
			endpoint := endpoints[0].(map[string]any)
			portIndex := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == endpoint["port"] })
			if portIndex < 0 {
				t.Fatalf("the ServiceMonitor scrapes port %v, but the Service has %+v", endpoint["port"], service.Spec.Ports)
			}
			labels, _, _ := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
			for key, value := range labels {
				if service.Labels[key] != value {
					t.Errorf("the ServiceMonitor selects a Service with %s=%s, but it has %v", key, value, service.Labels)
				}
			}
			container := deployment.Spec.Template.Spec.Containers[0]
			target := service.Spec.Ports[portIndex].TargetPort.String()
			targetIndex := slices.IndexFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == target })
			if targetIndex < 0 ||
				!slices.Contains(container.Args, fmt.Sprintf("--metrics-address=:%d", container.Ports[targetIndex].ContainerPort)) {
				t.Errorf("the Service targets port %s, but the container has %+v and %v", target, container.Ports, container.Args)
			}
			if !slices.Contains(container.Args, "--metrics-auth") || endpoint["scheme"] != "https" ||
				strings.Contains(strings.Join(container.Args, " "), "127.0.0.1") {
				t.Errorf("the metrics are served with %v, but scraped with %v", container.Args, endpoint)
			}
			if !slices.ContainsFunc(policy.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
				return slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.String() == target })
			}) {
				t.Errorf("the NetworkPolicy does not admit Prometheus: %+v", policy.Spec.Ingress)
			}
			account := deployment.Spec.Template.Spec.ServiceAccountName
			if s := binding.Subjects[0]; s.Name != account || s.Namespace != deployment.Namespace || binding.RoleRef.Name != role.Name {
				t.Errorf("the role %s is bound to %s, but the webhook runs as %s", binding.RoleRef.Name, s.Name, account)
			}
			if dashboard.Labels["grafana_dashboard"] != "1" || len(dashboard.Data) != 1 || dashboard.Namespace != deployment.Namespace {
				t.Errorf("Grafana does not find the dashboard: %+v, %d files", dashboard.ObjectMeta, len(dashboard.Data))
			}
			for file, text := range dashboard.Data {
				if !strings.HasSuffix(file, ".json") || !json.Valid([]byte(text)) {
					t.Errorf("%s is not JSON", file)
				}
			}
			if objects["PrometheusRule/kfp-preflight"] == nil || objects["ClusterRole/kfp-preflight-metrics-reader"] == nil {
				t.Error("the PrometheusRule or the ClusterRole for Prometheus is missing")
			}
		})
	}
}

// renderWith builds an overlay with a component as the documentation shows, and returns the objects by KIND/NAME.
func renderWith(t *testing.T, overlay, component string) map[string][]byte {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	toManifests, err := filepath.Rel(dir, filepath.Join(root, "manifests"))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("resources: [%[1]s/overlays/%[2]s]\ncomponents: [%[1]s/components/%[3]s]\n", toManifests, overlay, component)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	fromRoot, err := filepath.Rel(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := env.cluster.Render(t.Context(), fromRoot)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][]byte{}
	for _, document := range documents {
		o := decode(t, document)
		objects[o.GetKind()+"/"+o.GetName()] = document
	}
	return objects
}

// TestMetricsAuth requests the metrics with valid tokens and with invalid ones.
func TestMetricsAuth(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := socket.Addr().String()
	_ = socket.Close()
	server := webhook.Server{
		Cluster: env.cluster.Webhook, Config: webhook.DefaultConfig(), CertDir: env.cluster.CertDir, Version: "v0-test", Log: logr.Discard(),
		WebhookAddress: "127.0.0.1:0", MetricsAddress: address, MetricsAuth: true, ProbeAddress: "0",
	}
	done := make(chan error, 1)
	go func() { done <- server.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// Like the shipped ServiceMonitor, the client can't verify the certificate.
	httpClient := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	t.Cleanup(httpClient.CloseIdleConnections)
	requestMetrics := func(method, authorization string) (code int, body string, err error) {
		request, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+"/metrics", nil)
		if err != nil {
			return 0, "", err
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := httpClient.Do(request)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, string(text), err
	}
	// The API server applies changes of RBAC rules with a delay.
	waitForStatus := func(what, method, authorization string, want int) (body string) {
		t.Helper()
		if err := poll(20*time.Second, func() error {
			code, text, err := requestMetrics(method, authorization)
			if body = text; err == nil && code != want {
				err = fmt.Errorf("status %d, want %d: %.200s", code, want, text)
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return body
	}

	ensureNamespace(t, "monitoring")
	c, err := kubernetes.NewForConfig(env.cluster.Admin)
	if err != nil {
		t.Fatal(err)
	}
	token := func(name string, audiences ...string) string {
		t.Helper()
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: name}}
		if err := env.admin.Create(t.Context(), account); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
		issued, err := c.CoreV1().ServiceAccounts("monitoring").CreateToken(t.Context(), name,
			&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return issued.Status.Token
	}
	prometheus, stranger := token("prometheus"), token("stranger")

	waitForStatus("without the component", http.MethodGet, "Bearer "+prometheus, http.StatusInternalServerError)
	documents, err := cluster.Documents([]byte(read(t, "../../manifests/components/monitoring/rbac.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kfp-preflight-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "monitoring", Name: "prometheus"}},
	}
	granted := []client.Object{binding}
	for _, document := range documents {
		granted = append(granted, decode(t, document))
	}
	for _, o := range granted {
		if err := env.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = env.admin.Delete(context.Background(), o) })
	}

	body := waitForStatus("a ServiceAccount with the role", http.MethodGet, "Bearer "+prometheus, http.StatusOK)
	for _, want := range []string{
		`kfp_preflight_build_info{goversion="go`, `version="v0-test"} 1`, "kfp_preflight_certificate_expiry_timestamp_seconds ", "go_goroutines ",
		"process_resident_memory_bytes ", "process_cpu_seconds_total ", "rest_client_requests_total{", "certwatcher_read_certificate_total ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	waitForStatus("a ServiceAccount without the role", http.MethodGet, "Bearer "+stranger, http.StatusForbidden)
	waitForStatus("no token", http.MethodGet, "", http.StatusUnauthorized)
	waitForStatus("an empty token", http.MethodGet, "Bearer ", http.StatusUnauthorized)
	waitForStatus("not a token", http.MethodGet, "Bearer rubbish", http.StatusUnauthorized)
	tampered := prometheus[:len(prometheus)-8] + "AAAAAAAA"
	waitForStatus("a token that was tampered with", http.MethodGet, "Bearer "+tampered, http.StatusUnauthorized)
	waitForStatus("a token for another audience", http.MethodGet, "Bearer "+token("prometheus", "elsewhere"), http.StatusUnauthorized)
	waitForStatus("a token with another scheme", http.MethodGet, "Basic "+prometheus, http.StatusUnauthorized)
	waitForStatus("a token without a scheme", http.MethodGet, prometheus, http.StatusUnauthorized)
	waitForStatus("another verb", http.MethodPost, "Bearer "+prometheus, http.StatusForbidden)
}

// TestAPIServerMetrics makes the API server call webhooks that do not answer, and checks that it has the metrics that the
// alerts query.
func TestAPIServerMetrics(t *testing.T) {
	ensureNamespace(t, "unanswered")
	hook := func(name string, policy admissionregistrationv1.FailurePolicyType) admissionregistrationv1.ValidatingWebhook {
		return admissionregistrationv1.ValidatingWebhook{
			Name: name + ".kfp-preflight.dev", FailurePolicy: &policy, AdmissionReviewVersions: []string{"v1"}, TimeoutSeconds: new(int32(1)),
			SideEffects:  new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "unanswered"}},
		}
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "unanswered"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{
			hook("open", admissionregistrationv1.Ignore), hook("closed", admissionregistrationv1.Fail),
		},
	}
	if err := env.admin.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.admin.Delete(context.Background(), configuration) })
	c, err := kubernetes.NewForConfig(env.cluster.Admin)
	if err != nil {
		t.Fatal(err)
	}
	if err := poll(20*time.Second, func() error {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "unanswered", GenerateName: "a-"}}
		if err := env.admin.Create(t.Context(), cm); err == nil {
			return errors.New("the webhook with failurePolicy Fail was not called")
		}
		text, err := c.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
		if err != nil {
			return err
		}
		for _, want := range []string{
			`apiserver_admission_webhook_fail_open_count\{name="open\.kfp-preflight\.dev",type="validating"\} [1-9]`,
			`apiserver_admission_webhook_rejection_count\{error_type="calling_webhook_error",name="closed\.kfp-preflight\.dev",` +
				`operation="CREATE",rejection_code="\d+",type="validating"\} [1-9]`,
			`apiserver_admission_webhook_admission_duration_seconds_bucket\{name="open\.kfp-preflight\.dev",` +
				`operation="CREATE",rejected="false",type="validating",le="`,
			`apiserver_admission_webhook_request_total\{code="\d+",name="open\.kfp-preflight\.dev",`,
		} {
			if !regexp.MustCompile(want).Match(text) {
				return fmt.Errorf("the API server has no metric %s", want)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
