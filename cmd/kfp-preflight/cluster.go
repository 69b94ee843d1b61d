package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/report"
	"github.com/kfp-preflight/kfp-preflight/webhook"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// clusterFlags select a cluster, like the flags of kubectl.
type clusterFlags struct{ kubeconfig, context string }

func (c *clusterFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster")
	flags.StringVar(&c.context, "context", "", "context in the kubeconfig")
}

// isSet reports whether the user selected a cluster.
func (c *clusterFlags) isSet() bool { return c.kubeconfig != "" || c.context != "" }

// connect makes the evaluator look up its facts in the cluster. If the user set no namespace, it becomes that of the context.
func (c *clusterFlags) connect(cmd *cobra.Command, evaluator *report.Evaluator, config webhook.Config) (*rest.Config, error) {
	client, namespace, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	if evaluator.Namespace == "" {
		evaluator.Namespace = namespace
	}
	// No request of an API server is waiting, so the deadlines are longer than those of the webhook.
	config.Lookups.Timeout.Duration, config.Lookups.Remember.Duration = 20*time.Second, time.Minute
	lookups, err := lookup.Connect(client, config.LookupOptions())
	evaluator.Facts = func() validators.Facts { return lookups.NewSession(cmd.Context()).Facts() }
	return client, err
}

// clientConfig returns the configuration of a client for the cluster, and the namespace of the context.
func (c *clusterFlags) clientConfig() (config *rest.Config, namespace string, err error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
	if config, err = loader.ClientConfig(); err == nil {
		namespace, _, err = loader.Namespace()
	}
	if err != nil {
		return nil, "", fmt.Errorf("the kubeconfig can't be loaded: %w", err)
	}
	config.QPS = -1 // the number of concurrent requests is bounded instead
	return config, namespace, nil
}
