package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// serveEmptyCluster answers the lookups of a cluster with nothing in it but a stock workflow-controller.
func serveEmptyCluster(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/configmaps/workflow-controller-configmap"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"workflow-controller-configmap"}}`)
	case !serveNoLimits(w, r):
		lookuptest.NotFound(w)
	}
}

// serveNoLimits answers that a namespace has neither quotas nor LimitRanges, if that is what is asked.
func serveNoLimits(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case strings.HasSuffix(r.URL.Path, "/resourcequotas"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"ResourceQuotaList","items":[]}`)
	case strings.HasSuffix(r.URL.Path, "/limitranges"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"LimitRangeList","items":[]}`)
	default:
		return false
	}
	return true
}

// emptyClusterTransport is an API server without anything in it.
type emptyClusterTransport struct{}

func (emptyClusterTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	serveEmptyCluster(w, r)
	return w.Result(), nil
}

// payloadCluster is an API server with a stock Argo and the Secrets of the payloads, which answers without a network.
type payloadCluster struct{ secrets []string }

func (s payloadCluster) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch {
	case strings.Contains(r.URL.Path, "/secrets/") && slices.Contains(s.secrets, name):
		fmt.Fprintf(w, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":%q,"namespace":%q},"data":{"password":"cGFzc3dvcmQ="}}`, name, payload.Namespace)
	case name == "default-editor" && strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"):
		fmt.Fprintf(w, `{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":{"name":%q,"namespace":%q}}`, name, payload.Namespace)
	case name == "default-editor":
		fmt.Fprintf(w, `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":%q,"namespace":%q}}`, name, payload.Namespace)
	case name == "workflow-controller-configmap":
		fmt.Fprintf(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"kubeflow"},"data":{"executor":"imagePullPolicy: IfNotPresent\n","artifactRepository":`+
			`"archiveLogs: true\ns3:\n  endpoint: minio-service.kubeflow:9000\n  bucket: mlpipeline\n  insecure: true\n  accessKeySecret: {name: credentials-0, key: password}\n  secretKeySecret: {name: credentials-0, key: password}\n"}}`, name)
	default:
		serveEmptyCluster(w, r)
	}
	return w.Result(), nil
}
