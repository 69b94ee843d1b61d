package install

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/webhook"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
	"github.com/kfp-preflight/kfp-preflight/webhook/selfsigned"
)

// TestSelfSignedRotation renews the CA and the serving certificates every few seconds, while two replicas serve with
// failurePolicy Fail. Not one request may fail.
func TestSelfSignedRotation(t *testing.T) {
	c, err := cluster.Start(t.Context(), repoRoot)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Install(t.Context(), "manifests/overlays/self-signed"); err != nil {
		t.Fatal(err)
	}
	api, err := kubernetes.NewForConfig(c.Admin)
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}
	if _, err := api.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	controller := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: lookup.DefaultConfigMap}}
	if _, err := api.CoreV1().ConfigMaps("kubeflow").Create(t.Context(), controller, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	failClosed(t, api)
	replicas := []string{}
	for range 2 {
		replicas = append(replicas, startReplica(t, c))
	}
	startLoadBalancer(t, c.WebhookAddress, replicas)
	load := startLoad(t, c)
	bundles := map[string]bool{}
	for range 400 {
		bundles[string(webhookConfiguration(t, api).Webhooks[0].ClientConfig.CABundle)] = true
		time.Sleep(100 * time.Millisecond)
	}
	stopLoad(t, load)
	t.Logf("the CA bundle had %d values", len(bundles))
	if len(bundles) < 6 {
		t.Errorf("the CA was not renewed often enough: the bundle had %d values", len(bundles))
	}
}

// shortSchedule renews each certificate several times during the test.
var shortSchedule = selfsigned.Schedule{
	CALifetime: 9 * time.Second, ServingLifetime: 4 * time.Second, Overlap: 2 * time.Second, Interval: 200 * time.Millisecond,
}

// startReplica runs a replica of the webhook until the test ends, and returns its address.
func startReplica(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server := webhook.Server{
		Cluster: c.Webhook, Config: webhook.DefaultConfig(), Registry: prometheus.NewRegistry(), Log: logr.Discard(),
		WebhookAddress: address, MetricsAddress: "0", ProbeAddress: "127.0.0.1:0",
		SelfSigned: &selfsigned.Rotator{
			Namespace: "kfp-preflight", Secret: "kfp-preflight-ca", WebhookConfiguration: "kfp-preflight", Schedule: shortSchedule,
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return address
}

// startLoadBalancer listens on address and forwards each connection to the next replica, round robin.
func startLoadBalancer(t *testing.T, address string, replicas []string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var next atomic.Int64
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = client.Close() }()
				server, err := net.Dial("tcp", replicas[int(next.Add(1))%len(replicas)])
				if err != nil {
					return
				}
				defer func() { _ = server.Close() }()
				go func() { _, _ = io.Copy(server, client) }()
				_, _ = io.Copy(client, server)
			}()
		}
	}()
}

// webhookConfiguration returns the installed webhook configuration.
func webhookConfiguration(t *testing.T, api kubernetes.Interface) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	out, err := api.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "kfp-preflight", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// failClosed sets failurePolicy Fail for all webhooks.
func failClosed(t *testing.T, api kubernetes.Interface) {
	t.Helper()
	c := webhookConfiguration(t, api)
	for i := range c.Webhooks {
		c.Webhooks[i].FailurePolicy = new(admissionregistrationv1.Fail)
	}
	if _, err := api.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), c, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}
