package lookup

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// newTestClient returns a Client of an API server that a test plays.
func newTestClient(t *testing.T, api http.HandlerFunc, changes ...func(*Options)) *Client {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	client, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		Argo:    ArgoConfig{ConfigMapLocation: ConfigMapLocation{Namespace: "kubeflow", ConfigMap: DefaultConfigMap}},
		Timeout: 300 * time.Millisecond, CacheTTL: time.Minute, Metrics: NewMetrics(), Log: logr.Discard(),
	}
	for _, change := range changes {
		change(&options)
	}
	return NewClient(client.RESTClient(), options)
}

func withTimeout(timeout time.Duration) func(*Options) {
	return func(o *Options) { o.Timeout = timeout }
}

// liveFacts returns the facts of a live session, which reads nothing from the cache.
func liveFacts(t *testing.T, c *Client) Facts {
	t.Helper()
	session := c.NewSession(t.Context())
	session.live = true
	return session.Facts()
}

// secret returns a Secret with keys that have no values.
func secret(keys ...string) *corev1.Secret {
	s := &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, Data: map[string][]byte{}}
	for _, key := range keys {
		s.Data[key] = nil
	}
	return s
}
