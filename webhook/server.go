package webhook

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kfp-preflight/kfp-preflight/webhook/selfsigned"
)

// Server is the webhook server: TLS with certificates that are read or made again in time, probes, metrics, and a stop that answers
// what has come in.
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
	// MetricsAuth serves the metrics over TLS, to those whom the API server knows and lets get /metrics.
	MetricsAuth bool
	// CertDir holds tls.crt and tls.key. It is not looked at where SelfSigned is set.
	CertDir string
	// SelfSigned makes the certificates. Its client and its log are the server's.
	SelfSigned *selfsigned.Rotation
	// Clients says who may connect.
	Clients ClientCheck
	// StopDelay is how long the server goes on, unready, when it is told to stop: until no API server calls it any more.
	StopDelay time.Duration
	// Version is what this program calls itself, for the metrics.
	Version string
	// Log receives one line per denial, and our own trouble.
	Log logr.Logger
	// Registry receives the metrics; controller-runtime's own, which the metrics address serves, if nil.
	Registry prometheus.Registerer
}

// Run serves until ctx is done, then finishes what it has begun. It returns an error if it could not start or broke.
func (s Server) Run(ctx context.Context) error {
	if _, _, err := net.SplitHostPort(s.WebhookAddress); err != nil {
		return fmt.Errorf("webhook address %s: %w", s.WebhookAddress, err)
	}
	cluster := rest.CopyConfig(s.Cluster)
	// No queue of our own: each lookup answers a request that is waiting, and the API server sheds load by itself.
	cluster.QPS = -1
	server, err := s.manager(cluster)
	if err != nil {
		return fmt.Errorf("setting up the server: %w", err)
	}
	certificates, err := s.certificates(cluster)
	if err != nil {
		return err
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
	metrics.begin(profiles, workflows)
	about, err := newServerMetrics(registry, s.Version, certificates)
	if err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	defer about.unregister(registry)
	events := newEvents(client)
	defer events.stop()

	log := s.Log.WithName("admission")
	paths, mux := map[string]*replaceable{}, http.NewServeMux()
	room := newMemoryLimiter(memoryLimit())
	configure := func(config Config) {
		facts := newClusterFacts(client.RESTClient(), config, metrics, log)
		for _, k := range []kind{profiles, workflows} {
			for path, ceiling := range k.paths() {
				decided := config
				decided.Policy = config.Under(ceiling)
				if paths[path] == nil {
					paths[path] = &replaceable{}
					mux.Handle(path, paths[path])
				}
				paths[path].Store(&handler{kind: k, config: decided, facts: facts, metrics: metrics, limiter: room, events: events, log: log})
			}
		}
	}
	configure(s.Config)
	listener := &listener{
		address: s.WebhookAddress, handler: mux, certificates: certificates, clients: s.Clients, delay: s.StopDelay, log: s.Log.WithName("listener"),
	}
	for _, part := range []manager.Runnable{certificates, listener, s.watch(about, configure)} {
		if err := server.Add(part); err != nil {
			return err
		}
	}
	if err := server.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := server.AddReadyzCheck("webhook", listener.ready); err != nil {
		return err
	}
	return server.Start(ctx)
}

// manager serves probes and metrics, and runs the parts.
func (s Server) manager(cluster *rest.Config) (manager.Manager, error) {
	options := ctrl.Options{
		Scheme:                  runtime.NewScheme(), // the manager itself reads no objects
		Logger:                  s.Log,
		Metrics:                 metricsserver.Options{BindAddress: s.MetricsAddress, SecureServing: s.MetricsAuth},
		HealthProbeBindAddress:  s.ProbeAddress,
		GracefulShutdownTimeout: new(s.StopDelay + drain + 5*time.Second),
	}
	if s.MetricsAuth {
		options.Metrics.FilterProvider = metricsAuth
	}
	return ctrl.NewManager(cluster, options)
}

// certificates are read from files, or made.
func (s Server) certificates(cluster *rest.Config) (certificates, error) {
	if s.SelfSigned == nil {
		watched, err := certwatcher.New(filepath.Join(s.CertDir, "tls.crt"), filepath.Join(s.CertDir, "tls.key"))
		if err != nil {
			return nil, fmt.Errorf("the certificate can't be read: %w", err)
		}
		return watched, nil
	}
	client, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return nil, fmt.Errorf("setting up the client: %w", err)
	}
	s.SelfSigned.Client, s.SelfSigned.Log = client, s.Log.WithName("certificates")
	return s.SelfSigned, nil
}

// replaceable is a handler that another one can take the place of. What the first has begun, it finishes.
type replaceable struct{ atomic.Pointer[handler] }

// ServeHTTP implements http.Handler.
func (r *replaceable) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.Load().ServeHTTP(w, req) }

// configEvery is how often the configuration is looked at.
const configEvery = 2 * time.Second

// watch follows the changes of the configuration. A wrong one is kept out, and told.
func (s Server) watch(metrics *serverMetrics, configure func(Config)) manager.RunnableFunc {
	log := s.Log.WithName("config").WithValues("file", s.ConfigFile)
	return func(ctx context.Context) error {
		if s.ConfigFile == "" {
			return nil
		}
		watchConfig(ctx, s.ConfigFile, s.Config, configEvery, func(config Config, err error) {
			if err != nil {
				metrics.reloaded(err)
				log.Error(err, "the configuration can't be taken; the one before stays in force")
				return
			}
			configure(config)
			metrics.reloaded(nil)
			log.Info("the configuration has changed and is in force")
		})
		return nil
	}
}
