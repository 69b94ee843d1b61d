// Package e2e tests the webhook through a real API server, with the shipped manifests and their ServiceAccount, and with
// ordinary clients.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/webhook"
)

// env is the test environment that all tests share.
var env struct {
	cluster  *cluster.Cluster
	admin    client.Client
	log      lockedBuffer
	registry *prometheus.Registry
	stop     func() error // stops the webhook, see startWebhook
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	env.cluster, err = cluster.Start(ctx, "../..")
	defer func() {
		if stopErr := env.cluster.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err != nil {
		return 1, err
	}
	if err := env.cluster.Install(ctx, "manifests/base"); err != nil {
		return 1, err
	}
	if env.admin, err = client.New(env.cluster.Admin, client.Options{}); err != nil {
		return 1, err
	}
	if err := setControllerConfig(ctx, nil); err != nil {
		return 1, err
	}
	if err := startWebhook(); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, env.stop()
}

// startWebhook starts the webhook with the shipped ServiceAccount, at the address in the webhook configuration. It waits
// until the webhook accepts connections, and sets env.stop.
func startWebhook() error {
	ctx, cancel := context.WithCancel(context.Background())
	config := testConfig()
	if err := writeConfig(config); err != nil {
		cancel()
		return err
	}
	env.registry = prometheus.NewRegistry()
	server := webhook.Server{
		Cluster: env.cluster.Webhook, Config: config, ConfigFile: configFile(), CertDir: env.cluster.CertDir, Registry: env.registry,
		WebhookAddress: env.cluster.WebhookAddress, MetricsAddress: "0", ProbeAddress: "127.0.0.1:0",
		Log: funcr.New(func(prefix, args string) { fmt.Fprintln(&env.log, prefix, args) }, funcr.Options{Verbosity: 2}),
	}
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	env.stop = func() error {
		cancel()
		return <-done
	}
	return poll(20*time.Second, func() error {
		select {
		case err := <-done:
			done <- err
			return fmt.Errorf("the webhook exited: %w", err)
		default:
		}
		conn, err := net.Dial("tcp", env.cluster.WebhookAddress)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

// testConfig returns the default configuration with a short cache.
func testConfig() webhook.Config {
	config := webhook.DefaultConfig()
	config.Lookups.Remember.Duration = cacheTTL
	return config
}

// configFile is the path of the webhook's configuration.
func configFile() string { return filepath.Join(env.cluster.Dir, "config.yaml") }

// writeConfig replaces the webhook's configuration atomically, as the kubelet does for a mounted ConfigMap.
func writeConfig(config webhook.Config) error {
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(configFile()+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(configFile()+".new", configFile())
}

// poll calls try until it succeeds. After the timeout, it returns the last error.
func poll(timeout time.Duration, try func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// setControllerConfig replaces the workflow-controller's ConfigMap, and waits until the previous one is no longer cached.
func setControllerConfig(ctx context.Context, data map[string]string) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow", Name: "workflow-controller-configmap"}}
	if err := client.IgnoreNotFound(env.admin.Delete(ctx, cm)); err != nil {
		return err
	}
	cm.ResourceVersion, cm.UID, cm.Data = "", "", data
	defer time.Sleep(2 * cacheTTL)
	return env.admin.Create(ctx, cm)
}

// cacheTTL is the setting lookups.remember. It is short because the cases change the controller's configuration.
const cacheTTL = 100 * time.Millisecond

// user is a client of the API server that records the warnings it receives.
type user struct {
	client.Client
	warnings *warnings
}

type warnings struct {
	lock  sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(code int, _ string, text string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if code == 299 {
		w.texts = append(w.texts, text)
	}
}

func (w *warnings) all() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	return append([]string(nil), w.texts...)
}

func newUser(t *testing.T) user {
	t.Helper()
	w := &warnings{}
	config := rest.CopyConfig(env.cluster.Admin)
	config.WarningHandler = w
	c, err := client.New(config, client.Options{Mapper: env.admin.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return user{c, w}
}

// ensureNamespace creates a namespace unless it exists.
func ensureNamespace(t *testing.T, name string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := env.admin.Create(t.Context(), ns); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

// parseObject parses YAML that contains exactly one object.
func parseObject(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	documents, err := cluster.Documents([]byte(text))
	if err != nil || len(documents) != 1 {
		t.Fatalf("%d documents, %v", len(documents), err)
	}
	return decode(t, documents[0])
}

// reviewCount returns the sum of kfp_preflight_reviews_total over all series that have the given label values.
func reviewCount(t *testing.T, labels ...string) float64 {
	t.Helper()
	families, err := env.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, family := range families {
		if family.GetName() != "kfp_preflight_reviews_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			if text := m.String(); !containsAll(text, labels) {
				continue
			}
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}

// containsAll reports whether the text of a metric contains all label values.
func containsAll(text string, values []string) bool {
	for _, value := range values {
		if !strings.Contains(text, `value:"`+value+`"`) {
			return false
		}
	}
	return true
}

// lockedBuffer is a buffer for concurrent reads and writes.
type lockedBuffer struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.String()
}
