package webhook

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
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

// Server is the webhook server. It serves reviews over TLS, probes and metrics. It reloads or renews its certificate before that expires,
// and stops without dropping a request.
type Server struct {
	// Cluster is how to reach the API server.
	Cluster *rest.Config
	// Config is the initial configuration.
	Config Config
	// ConfigFile is where Config was read from. The server applies its changes. Empty if there is no file.
	ConfigFile string
	// WebhookAddress, MetricsAddress and ProbeAddress are what to listen on, as HOST:PORT. MetricsAddress may be "0" for no metrics.
	WebhookAddress, MetricsAddress, ProbeAddress string
	// MetricsAuth serves the metrics over TLS, to clients that the API server authenticates and authorizes to get /metrics.
	MetricsAuth bool
	// CertDir holds tls.crt and tls.key. It is not used if SelfSigned is set.
	CertDir string
	// SelfSigned creates the certificates. The server sets its client and its log.
	SelfSigned *selfsigned.Rotator
	// Clients restricts which clients may send reviews.
	Clients ClientCheck
	// StopDelay is how long the server keeps serving reviews after ctx is done, while it is not ready. It must be long enough for API
	// servers to stop sending requests here.
	StopDelay time.Duration
	// Version is the version of this program, as the metrics show it.
	Version string
	// Log receives one line for each denial, and failures of the server itself.
	Log logr.Logger
	// Registry receives the metrics. If nil, it is controller-runtime's, which MetricsAddress serves.
	Registry prometheus.Registerer
}

// Run serves until ctx is done, then finishes the requests in progress. It returns an error if the server could not start or failed.
func (s Server) Run(ctx context.Context) error {
	if _, _, err := net.SplitHostPort(s.WebhookAddress); err != nil {
		return fmt.Errorf("webhook address %s: %w", s.WebhookAddress, err)
	}
	cluster := rest.CopyConfig(s.Cluster)
	// No client-side rate limit: each lookup belongs to a request that is waiting, and the API server sheds load by itself.
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
	metrics.initialize(profiles, workflows)
	serverMetrics, err := newServerMetrics(registry, s.Version, certificates)
	if err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	defer serverMetrics.unregister(registry)
	events := newEvents(client)
	defer events.stop()

	reviews := newReviewMux(handler{
		metrics: metrics, limiter: newMemoryLimiter(memoryLimit()), events: events, log: s.Log.WithName("admission"),
	}, client.RESTClient())
	reviews.configure(s.Config)
	listener := &listener{
		address: s.WebhookAddress, handler: reviews, certificates: certificates, clients: s.Clients,
		stopDelay: s.StopDelay, log: s.Log.WithName("listener"),
	}
	for _, part := range []manager.Runnable{
		certificates, listener, s.configWatcher(serverMetrics, reviews.configure),
		controllerCheck(reviews.lookups, s.Config.Argo, reviews.prototype.log),
	} {
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

// manager returns the manager that serves probes and metrics and runs the other parts of the server.
func (s Server) manager(cluster *rest.Config) (manager.Manager, error) {
	options := ctrl.Options{
		Scheme:                  runtime.NewScheme(), // the manager reads no objects
		Logger:                  s.Log,
		Metrics:                 metricsserver.Options{BindAddress: s.MetricsAddress, SecureServing: s.MetricsAuth},
		HealthProbeBindAddress:  s.ProbeAddress,
		GracefulShutdownTimeout: new(s.StopDelay + drainTimeout + 5*time.Second),
	}
	if s.MetricsAuth {
		options.Metrics.FilterProvider = metricsAuth
	}
	return ctrl.NewManager(cluster, options)
}

// certificates returns the source of the serving certificate: files, or SelfSigned.
func (s Server) certificates(cluster *rest.Config) (certificates, error) {
	if s.SelfSigned == nil {
		watched, err := certwatcher.New(filepath.Join(s.CertDir, "tls.crt"), filepath.Join(s.CertDir, "tls.key"))
		if err != nil {
			return nil, fmt.Errorf("can't read the certificate: %w", err)
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

// configInterval is how often the configuration file is read.
const configInterval = 2 * time.Second

// configWatcher returns a runnable that applies changes of the configuration file. If the file is invalid, it logs the error and the
// previous configuration stays active.
func (s Server) configWatcher(metrics *serverMetrics, apply func(Config)) manager.RunnableFunc {
	log := s.Log.WithName("config").WithValues("file", s.ConfigFile)
	return func(ctx context.Context) error {
		if s.ConfigFile == "" {
			return nil
		}
		watchConfig(ctx, s.ConfigFile, s.Config, configInterval, func(config Config, err error) {
			if err != nil {
				metrics.reloaded(err)
				log.Error(err, "the configuration is invalid; the previous one stays active")
				return
			}
			apply(config)
			metrics.reloaded(nil)
			log.Info("the configuration was reloaded")
		})
		return nil
	}
}
