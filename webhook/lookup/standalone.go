package lookup

import (
	"fmt"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// Connect returns a Client for a cluster, for use without a webhook server. Metrics and Log of the options may be unset. It does not call
// the API server yet.
func Connect(cluster *rest.Config, options Options) (*Client, error) {
	client, err := corev1client.NewForConfig(cluster)
	if err != nil {
		return nil, fmt.Errorf("setting up the client: %w", err)
	}
	if options.Metrics == nil {
		options.Metrics = NewMetrics()
	}
	return NewClient(client.RESTClient(), options), nil
}
