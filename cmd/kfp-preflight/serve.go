package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/webhook"
	"github.com/kfp-preflight/kfp-preflight/webhook/selfsigned"
)

func newServeCommand() *cobra.Command {
	var server webhook.Server
	var kubeconfig, level, caSecret, configuration string
	var printConfig bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the admission webhook",
		Long: `Run the admission webhook until SIGTERM or SIGINT. It finishes open requests before it stops.

The webhook needs a certificate that the API server trusts. It reads tls.crt and tls.key in --tls-dir,
as cert-manager writes them, and reloads them when they change. With --self-signed-secret, it creates
and renews the certificate itself, and writes the CA to the webhook configuration.

It reloads the configuration when it changes. With an invalid configuration it does not start. If the
configuration becomes invalid later, the previous one stays active. Denials and errors are logged as
JSON lines. The memory limit is GOMEMLIMIT or, if that is not set, 40 % of the memory limit of the
cgroup.

Paths on the webhook address:
  /validate-profile         AdmissionReviews of Profiles (kubeflow.org)
  /validate-workflow        AdmissionReviews of Workflows (argoproj.io)
  /validate-workflow/MODE   the same for namespaces with the label kfp-preflight.dev/mode: MODE
Paths on the probe address:   /healthz, /readyz
Paths on the metrics address: /metrics`,
		Example: `  # Run in a cluster, as the manifests do
  kfp-preflight serve

  # Run on your machine, with the cluster of a kubeconfig
  kfp-preflight serve --kubeconfig ~/.kube/config --tls-dir ./certs --log-level debug

  # Print the configuration, including its defaults
  kfp-preflight serve --config config.yaml --print-config`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := readConfig(server.ConfigFile)
			if err != nil {
				return err
			}
			if printConfig {
				text, err := yaml.Marshal(config)
				if err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			server.Config, server.Version = config, version()
			if server.SelfSigned, err = selfSigned(caSecret, configuration); err != nil {
				return err
			}
			log, err := newLogger(level)
			if err != nil {
				return err
			}
			server.Log = log
			ctrl.SetLogger(log)
			klog.SetLogger(log) // client-go's
			limitMemory(log)
			if server.Cluster, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
				return fmt.Errorf("no API server found (outside of a cluster, set --kubeconfig): %w", err)
			}
			return server.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&server.WebhookAddress, "webhook-address", ":9443",
		"`HOST:PORT` on which to serve AdmissionReviews; without HOST, all addresses")
	flags.StringVar(&server.ProbeAddress, "probe-address", ":8081", "`HOST:PORT` on which to serve /healthz and /readyz")
	flags.StringVar(&server.MetricsAddress, "metrics-address", ":8080", "`HOST:PORT` on which to serve /metrics, or 0 to disable metrics")
	flags.StringVar(&server.CertDir, "tls-dir", "/etc/kfp-preflight/tls", "folder with tls.crt and tls.key")
	flags.StringVar(&caSecret, "self-signed-secret", "",
		"`NAMESPACE/NAME` of the Secret for a self-signed CA; if empty, certificates are read from --tls-dir")
	flags.StringVar(&configuration, "webhook-configuration", "kfp-preflight",
		"name of the ValidatingWebhookConfiguration to which the self-signed CA is written")
	flags.StringVar(&server.Clients.CAFile, "client-ca-file", "",
		"file with the CAs of the clients that may connect; if empty, all clients may connect")
	flags.StringSliceVar(&server.Clients.Names, "client-name", nil,
		"name that a client certificate must have; if empty, any certificate signed by the CAs")
	flags.BoolVar(&server.MetricsAuth, "metrics-auth", false,
		"serve metrics over TLS, only to clients that the API server allows to get /metrics")
	flags.DurationVar(&server.StopDelay, "stop-delay", 0,
		"how long to keep serving after SIGTERM, while not ready, until API servers no longer send requests")
	addConfig(cmd, &server.ConfigFile)
	flags.BoolVar(&printConfig, "print-config", false, "print the configuration with its defaults, and exit")
	flags.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig file; if empty, the ServiceAccount of the pod is used")
	flags.StringVar(&level, "log-level", "info", "log level: debug, info or error")
	_ = cmd.MarkFlagDirname("tls-dir")
	completeWith(cmd, "log-level", "debug", "info", "error")
	return cmd
}

// selfSigned returns the settings of self-signed certificates, or nil if the flag --self-signed-secret is empty.
func selfSigned(secret, configuration string) (*selfsigned.Rotator, error) {
	if secret == "" {
		return nil, nil
	}
	namespace, name, ok := strings.Cut(secret, "/")
	if !ok || namespace == "" || name == "" {
		return nil, fmt.Errorf("--self-signed-secret must be NAMESPACE/NAME, not %q", secret)
	}
	return &selfsigned.Rotator{
		Namespace: namespace, Secret: name, WebhookConfiguration: configuration, Schedule: selfsigned.DefaultSchedule(),
	}, nil
}

// limitMemory tunes the garbage collector for reviews, which produce much garbage and keep little. It runs rarely while memory is
// available, and often near the limit, before the kernel kills the process. GOGC and GOMEMLIMIT take precedence.
func limitMemory(log logr.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	limit, err := memlimit.Set(memlimit.WithRatio(0.4))
	if err != nil {
		log.Info("could not read the memory limit of the cgroup; to set a limit, use GOMEMLIMIT", "error", err.Error())
	}
	log.V(1).Info("memory limit set", "bytes", limit)
}

// newLogger returns a logger that writes JSON lines to standard error.
func newLogger(level string) (logr.Logger, error) {
	config := zap.NewProductionConfig()
	config.Sampling = nil // log every denial
	config.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.DisableCaller = true
	config.DisableStacktrace = true
	switch level {
	case "debug", "info", "error":
		parsed, err := zap.ParseAtomicLevel(level)
		if err != nil {
			return logr.Logger{}, err
		}
		config.Level = parsed
	default:
		return logr.Logger{}, fmt.Errorf("--log-level must be debug, info or error, not %q", level)
	}
	logger, err := config.Build()
	if err != nil {
		return logr.Logger{}, err
	}
	return zapr.NewLogger(logger), nil
}
