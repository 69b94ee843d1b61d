package webhook

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestLookupsOfAdmittedReview checks that what only denials need costs an admitted review nothing: promised Secrets, the age of the
// namespace and dry runs are asked for only before a denial.
func TestLookupsOfAdmittedReview(t *testing.T) {
	const namespace = "/api/v1/namespaces/team-a/"
	facts := []string{
		"GET /api/v1/namespaces/kubeflow/configmaps/workflow-controller-configmap",
		"GET " + namespace + "limitranges", "GET " + namespace + "resourcequotas",
		"GET " + namespace + "configmaps/artifact-repositories", "GET " + namespace + "secrets/credentials",
	}
	for name, test := range map[string]struct {
		missing bool
		want    []string
	}{
		"admitted": {false, facts},
		"denied":   {true, append([]string{"GET /apis", "GET /api/v1/namespaces/team-a"}, facts...)},
	} {
		t.Run(name, func(t *testing.T) {
			var lock sync.Mutex
			var requests []string
			h := newTestHandler(t, workflows, nil)
			api := func(w http.ResponseWriter, r *http.Request) {
				lock.Lock()
				requests = append(requests, r.Method+" "+r.URL.Path)
				lock.Unlock()
				switch {
				case serveNoLimits(w, r):
				case strings.HasSuffix(r.URL.Path, "/configmaps/workflow-controller-configmap"):
					lookuptest.Object(w, r, configMapWith(nil))
				case strings.HasSuffix(r.URL.Path, "/secrets/credentials") && !test.missing:
					lookuptest.Object(w, r, secretWith("token"))
				default:
					lookuptest.NotFound(w)
				}
			}
			h.config.Confirm = ConfirmByDryRun
			h.lookups = newLookupClient(h.handler, newAPIClient(t, api))
			if _, answer := h.post(t, reviewJSON(t, workflowWithSecret)); answer.Allowed == test.missing {
				t.Errorf("answered %+v", answer)
			}
			slices.Sort(requests)
			slices.Sort(test.want)
			if got := slices.Compact(requests); !slices.Equal(got, test.want) {
				t.Errorf("requests\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
