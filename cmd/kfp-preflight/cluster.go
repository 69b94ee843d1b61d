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

// clusterFlags say which cluster to ask, as kubectl's do.
type clusterFlags struct{ kubeconfig, context string }

func (c *clusterFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster")
	flags.StringVar(&c.context, "context", "", "context of the kubeconfig")
}

// given reports whether a cluster was named.
func (c *clusterFlags) given() bool { return c.kubeconfig != "" || c.context != "" }

// ask lets the judge ask the cluster, and judge for the namespace of its context if none was given.
func (c *clusterFlags) ask(cmd *cobra.Command, judge *report.Evaluator, config webhook.Config) (*rest.Config, error) {
	reach, namespace, err := c.load()
	if err != nil {
		return nil, err
	}
	if judge.Namespace == "" {
		judge.Namespace = namespace
	}
	config.Lookups.Timeout.Duration, config.Lookups.Remember.Duration = 20*time.Second, time.Minute // nobody waits at an API server
	lookups, err := lookup.Connect(reach, config.LookupOptions())
	judge.Facts = func() validators.Facts { return lookups.NewSession(cmd.Context()).Facts() }
	return reach, err
}

// load says how to reach the cluster, and which namespace its context is about.
func (c *clusterFlags) load() (config *rest.Config, namespace string, err error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
	if config, err = loader.ClientConfig(); err == nil {
		namespace, _, err = loader.Namespace()
	}
	if err != nil {
		return nil, "", fmt.Errorf("how to reach the cluster is not known: %w", err)
	}
	config.QPS = -1 // how many calls there are at once is bounded
	return config, namespace, nil
}
