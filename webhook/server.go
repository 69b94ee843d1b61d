package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
)

// Server is the webhook server: TLS with certificates that are read again when they change, probes, metrics, and a stop
// that answers what has come in.
type Server struct {
	// Cluster says how to reach the API server.
	Cluster *rest.Config
	// Config of the judgement.
	Config Config
	// ConfigFile is read again when it changes; empty for none. Config is what it had at the start.
	ConfigFile string
	// WebhookAddress, MetricsAddress and ProbeAddress are what to listen on, as HOST:PORT. MetricsAddress may be "0" for
	// no metrics.
	WebhookAddress, MetricsAddress, ProbeAddress string
	// CertDir holds tls.crt and tls.key.
	CertDir string
	// Log receives one line per denial, and our own trouble.
	Log logr.Logger
	// Registry receives the metrics; controller-runtime's own, which the metrics address serves, if nil.
	Registry prometheus.Registerer
}

// Run serves until ctx is done, then finishes what it has begun. It returns an error if it could not start or broke.
func (s Server) Run(ctx context.Context) error {
	host, port, err := splitAddress(s.WebhookAddress)
	if err != nil {
		return fmt.Errorf("webhook address %s: %w", s.WebhookAddress, err)
	}
	cluster := rest.CopyConfig(s.Cluster)
	// No queue of our own: each lookup answers a request that is waiting, and the API server sheds load by itself.
	cluster.QPS = -1

	server, err := ctrl.NewManager(cluster, ctrl.Options{
		Scheme:                  runtime.NewScheme(), // the manager itself reads no objects
		Logger:                  s.Log,
		Metrics:                 metricsserver.Options{BindAddress: s.MetricsAddress},
		HealthProbeBindAddress:  s.ProbeAddress,
		GracefulShutdownTimeout: new(30 * time.Second),
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host: host, Port: port, CertDir: s.CertDir,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }},
		}),
	})
	if err != nil {
		return fmt.Errorf("setting up the server: %w", err)
	}
	client, err := corev1client.NewForConfigAndClient(cluster, server.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("setting up the client: %w", err)
	}
	registry := s.Registry
	if registry == nil {
		registry = ctrlmetrics.Registry
	}
	metrics, err := newMetrics(registry)
	if err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	defer metrics.unregister(registry)
	log := s.Log.WithName("admission")
	served := map[string]*replaceable{}
	configure := func(config Config) {
		facts := newClusterFacts(client.RESTClient(), config, metrics, log)
		for _, k := range []kind{profiles, workflows} {
			served[k.path].Store(&handler{kind: k, config: config, facts: facts, metrics: metrics, log: log})
		}
	}
	for _, k := range []kind{profiles, workflows} {
		served[k.path] = &replaceable{}
		server.GetWebhookServer().Register(k.path, served[k.path])
	}
	configure(s.Config)
	if s.ConfigFile != "" {
		if err := server.Add(s.watch(metrics, configure)); err != nil {
			return err
		}
	}
	if err := server.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := server.AddReadyzCheck("webhook", server.GetWebhookServer().StartedChecker()); err != nil {
		return err
	}
	return server.Start(ctx)
}

// replaceable is a handler that another one can take the place of. What the first has begun, it finishes.
type replaceable struct{ atomic.Pointer[handler] }

// ServeHTTP implements http.Handler.
func (r *replaceable) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.Load().ServeHTTP(w, req) }

// configEvery is how often the configuration is looked at.
const configEvery = 2 * time.Second

// watch follows the changes of the configuration. A wrong one is kept out, and told.
func (s Server) watch(metrics *metrics, configure func(Config)) manager.RunnableFunc {
	log := s.Log.WithName("config").WithValues("file", s.ConfigFile)
	return func(ctx context.Context) error {
		watchConfig(ctx, s.ConfigFile, configEvery, func(config Config, err error) {
			if err != nil {
				metrics.configReloads.WithLabelValues("refused").Inc()
				log.Error(err, "the configuration has changed and is wrong; the one before stays in force")
				return
			}
			configure(config)
			metrics.configReloads.WithLabelValues("applied").Inc()
			log.Info("the configuration has changed and is in force")
		})
		return nil
	}
}

// splitAddress reads HOST:PORT, of which HOST may be empty for all addresses.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q is no port", text)
	}
	return host, port, nil
}
