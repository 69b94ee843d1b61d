package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// serveEmptyCluster answers as the API server of a cluster that has only a stock workflow-controller.
func serveEmptyCluster(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/configmaps/workflow-controller-configmap"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"workflow-controller-configmap"}}`)
	case !serveNoLimits(w, r):
		lookuptest.NotFound(w)
	}
}

// serveNoLimits answers requests for ResourceQuotas, LimitRanges and API groups with empty lists. It reports whether the request was one.
func serveNoLimits(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case strings.HasSuffix(r.URL.Path, "/resourcequotas"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"ResourceQuotaList","items":[]}`)
	case r.URL.Path == "/apis":
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"APIGroupList","groups":[]}`)
	case strings.HasSuffix(r.URL.Path, "/limitranges"):
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"LimitRangeList","items":[]}`)
	default:
		return false
	}
	return true
}

// withControllerConfig answers like api, and adds an empty workflow-controller's ConfigMap if api has none. Without one, no finding is
// certain.
func withControllerConfig(api http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/configmaps/"+lookup.DefaultConfigMap) {
			api(w, r)
			return
		}
		answer := httptest.NewRecorder()
		api(answer, r)
		if answer.Code == http.StatusNotFound && strings.Contains(answer.Header().Get("Content-Type"), "json") {
			lookuptest.Object(w, r, configMapWith(nil))
			return
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w)
	}
}

// emptyClusterTransport is serveEmptyCluster without a network.
type emptyClusterTransport struct{}

func (emptyClusterTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	serveEmptyCluster(w, r)
	return w.Result(), nil
}

// payloadCluster is the API server of a cluster with a stock Argo and the Secrets of a payload, without a network.
type payloadCluster struct{ secrets []string }

// payloadRepository is Argo's artifact repository in a payloadCluster.
const payloadRepository = `archiveLogs: true
s3:
  endpoint: minio-service.kubeflow:9000
  bucket: mlpipeline
  insecure: true
  accessKeySecret: {name: credentials-0, key: password}
  secretKeySecret: {name: credentials-0, key: password}
`

func (c payloadCluster) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	serve := func(apiVersion, kind, namespace, content string) {
		fmt.Fprintf(w, `{"apiVersion":%q,"kind":%q,"metadata":{"name":%q,"namespace":%q}%s}`, apiVersion, kind, name, namespace, content)
	}
	switch {
	case strings.Contains(r.URL.Path, "/secrets/") && slices.Contains(c.secrets, name):
		serve("v1", "Secret", payload.Namespace, `,"data":{"password":"cGFzc3dvcmQ="}`)
	case name == "default-editor" && strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"):
		serve("meta.k8s.io/v1", "PartialObjectMetadata", payload.Namespace, "")
	case name == "default-editor":
		serve("v1", "ServiceAccount", payload.Namespace, "")
	case name == "workflow-controller-configmap":
		data, _ := json.Marshal(map[string]string{
			"executor": "imagePullPolicy: IfNotPresent\n", "artifactRepository": payloadRepository,
		})
		serve("v1", "ConfigMap", "kubeflow", `,"data":`+string(data))
	default:
		serveEmptyCluster(w, r)
	}
	return w.Result(), nil
}
