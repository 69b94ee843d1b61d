package webhook

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Facts reads facts about a cluster outside of admission, in the same way as the webhook does.
type Facts struct{ cluster *clusterFacts }

// NewFacts prepares for reading facts. It does not call the API server yet.
func NewFacts(cluster *rest.Config, config Config, log logr.Logger) (*Facts, error) {
	client, err := corev1client.NewForConfig(cluster)
	if err != nil {
		return nil, fmt.Errorf("setting up the client: %w", err)
	}
	metrics, err := newMetrics(prometheus.NewRegistry()) // which nobody reads
	if err != nil {
		return nil, err
	}
	return &Facts{newClusterFacts(client.RESTClient(), config, metrics, log)}, nil
}

// For returns the facts for one judgement, which ends with ctx. They may be as old as the configuration says.
func (f *Facts) For(ctx context.Context) validators.Facts { return f.cluster.open(ctx) }
