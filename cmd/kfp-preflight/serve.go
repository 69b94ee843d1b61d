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

func newServe() *cobra.Command {
	var server webhook.Server
	var kubeconfig, level, caSecret, configuration string
	var printConfig bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the admission webhook",
		Long: `Run the admission webhook until SIGTERM or SIGINT, then answer what has come in and stop.

The webhook needs a certificate that the API server trusts: tls.crt and tls.key in --tls-dir, as cert-manager writes them, which
are read again when they change. With --self-signed-secret it makes its own, renews it, and keeps the CA in the webhook configuration.

The configuration is read again when it changes: a wrong one stops the start, or is refused while the webhook runs on with the one
before. Denials and trouble go to the log as JSON, one line each. Memory is kept below GOMEMLIMIT or, where that is not set, four
tenths of what the cgroup allows.

On the webhook address:
  /validate-profile         AdmissionReviews of Profiles (kubeflow.org)
  /validate-workflow        AdmissionReviews of Workflows (argoproj.io)
  /validate-workflow/MODE   the same, of namespaces that are labelled kfp-preflight.dev/mode: MODE
On the probe address:   /healthz, /readyz
On the metrics address: /metrics`,
		Example: `  # in a cluster, as the manifests do
  kfp-preflight serve

  # on a laptop, against the cluster of the current kubeconfig
  kfp-preflight serve --kubeconfig ~/.kube/config --tls-dir ./certs --log-level debug`,
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
				return fmt.Errorf("how to reach the API server is not known; outside of a cluster give --kubeconfig: %w", err)
			}
			return server.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&server.WebhookAddress, "webhook-address", ":9443", "HOST:PORT to serve AdmissionReviews on; no HOST for all addresses")
	flags.StringVar(&server.ProbeAddress, "probe-address", ":8081", "HOST:PORT to serve /healthz and /readyz on")
	flags.StringVar(&server.MetricsAddress, "metrics-address", ":8080", "HOST:PORT to serve /metrics on; 0 for none")
	flags.StringVar(&server.CertDir, "tls-dir", "/etc/kfp-preflight/tls", "directory with tls.crt and tls.key")
	flags.StringVar(&caSecret, "self-signed-secret", "", "NAMESPACE/NAME of the Secret for a CA of our own; empty to read certificates from --tls-dir")
	flags.StringVar(&configuration, "webhook-configuration", "kfp-preflight", "name of the ValidatingWebhookConfiguration that gets that CA")
	flags.StringVar(&server.Clients.CAFile, "client-ca-file", "", "file with the CAs of the clients that may connect; empty for all clients")
	flags.StringSliceVar(&server.Clients.Names, "client-name", nil, "name that a client's certificate must be for; all that the CAs have signed without")
	flags.BoolVar(&server.MetricsAuth, "metrics-auth", false, "serve metrics over TLS, and only to those whom the API server lets get /metrics")
	flags.DurationVar(&server.StopDelay, "stop-delay", 0, "how long to go on, unready, after SIGTERM, until no API server calls any more")
	addConfig(cmd, &server.ConfigFile)
	flags.BoolVar(&printConfig, "print-config", false, "print the configuration, with its defaults, and end")
	flags.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig file; empty for the ServiceAccount of the pod")
	flags.StringVar(&level, "log-level", "info", "what to log: debug, info or error")
	_ = cmd.MarkFlagDirname("tls-dir")
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// selfSigned is how certificates are made; nil if they are not.
func selfSigned(secret, configuration string) (*selfsigned.Rotator, error) {
	if secret == "" {
		return nil, nil
	}
	namespace, name, ok := strings.Cut(secret, "/")
	if !ok || namespace == "" || name == "" {
		return nil, fmt.Errorf("--self-signed-secret is NAMESPACE/NAME, not %q", secret)
	}
	return &selfsigned.Rotator{Namespace: namespace, Secret: name, WebhookConfiguration: configuration, Schedule: selfsigned.DefaultSchedule()}, nil
}

// limitMemory lets the collector rest as long as there is memory, and makes it work before the kernel kills: a review leaves much behind,
// and what stays is little. What GOMEMLIMIT and GOGC say is left as it is.
func limitMemory(log logr.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	limit, err := memlimit.Set(memlimit.WithRatio(0.4))
	if err != nil {
		log.Info("what the cgroup allows could not be found out; GOMEMLIMIT sets a limit", "why", err.Error())
	}
	log.V(1).Info("memory is limited", "bytes", limit)
}

// newLogger writes JSON lines to standard error.
func newLogger(level string) (logr.Logger, error) {
	config := zap.NewProductionConfig()
	config.Sampling = nil // every denial counts
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
		return logr.Logger{}, fmt.Errorf("--log-level is debug, info or error, not %q", level)
	}
	logger, err := config.Build()
	if err != nil {
		return logr.Logger{}, err
	}
	return zapr.NewLogger(logger), nil
}
