package main

import (
	"fmt"

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
)

func newServe() *cobra.Command {
	var server webhook.Server
	var kubeconfig, level string
	var printConfig bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the admission webhook",
		Long: `Run the admission webhook until SIGTERM or SIGINT, then answer what has come in and stop.

The webhook needs a certificate that the API server trusts: tls.crt and tls.key in --tls-dir, as cert-manager writes
them. They are read again when they change, and so is the configuration: a wrong one stops the start, or is refused while
the webhook runs on with the one before. Denials and trouble go to the log as JSON, one line each.

On the webhook address:
  /validate-profile    AdmissionReviews of Profiles (kubeflow.org)
  /validate-workflow   AdmissionReviews of Workflows (argoproj.io)
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
			server.Config = config
			log, err := newLogger(level)
			if err != nil {
				return err
			}
			server.Log = log
			ctrl.SetLogger(log)
			klog.SetLogger(log) // client-go's
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
	addConfig(cmd, &server.ConfigFile)
	flags.BoolVar(&printConfig, "print-config", false, "print the configuration, with its defaults, and end")
	flags.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig file; empty for the ServiceAccount of the pod")
	flags.StringVar(&level, "log-level", "info", "what to log: debug, info or error")
	_ = cmd.MarkFlagDirname("tls-dir")
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
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
