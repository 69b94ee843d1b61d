package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestLookupsAreBounded has Workflows that ask for more than anybody needs.
func TestLookupsAreBounded(t *testing.T) {
	var refs []string
	for i := range 1000 {
		refs = append(refs, fmt.Sprintf(`{"secretRef":{"name":"secret-%d"}}`, i))
	}
	items := strings.TrimSuffix(strings.Repeat("1,", 1000), ",")
	for name, test := range map[string]struct {
		templates string
		lookups   int32
	}{
		"many Secrets": {`{"name":"main","container":{"envFrom":[` + strings.Join(refs, ",") + `]}}`, 210},
		"loops over a WorkflowTemplate": {`{"name":"main","steps":[[{"name":"a","template":"u","withItems":[` + items + `],"arguments":{"parameters":[{"name":"x","value":"{{item}}"}]}}]]},
			{"name":"u","inputs":{"parameters":[{"name":"x"}]},"steps":[[{"name":"b","withItems":[` + items + `],"templateRef":{"name":"a","template":"b"}}]]}`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var lookups atomic.Int32
			h := newTestHandler(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
				lookups.Add(1)
				lookuptest.NotFound(w)
			})
			h.setLookupTimeout(10 * time.Second)
			_, answer := h.post(t, reviewJSON(t, workflowJSON(test.templates)))
			if got := lookups.Load(); got > test.lookups {
				t.Errorf("%d lookups", got)
			}
			if name == "many Secrets" && (answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "of the 1000 objects that the Workflow needs, 800 were not checked")) {
				t.Errorf("allowed %v, warnings %q", answer.Allowed, answer.Warnings)
			}
		})
	}
}

// TestRepeatedLookupsAreShared has a Workflow that names one missing ConfigMap a thousand times, and Workflows that name more than any real one.
func TestRepeatedLookupsAreShared(t *testing.T) {
	const parameter = `{"name":"p%%[1]d","valueFrom":{"configMapKeyRef":{"name":"%s","key":"k"}}}`
	for name, test := range map[string]struct {
		configMap string
		most      int32
	}{
		"the same":               {"gone", 10},
		"all different":          {"gone-%[1]d", 1010},
		"all different, no time": {"slow-%[1]d", 10},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if strings.Contains(r.URL.Path, "slow") {
					<-r.Context().Done()
				}
				lookuptest.NotFound(w)
			})
			var parameters []string
			for i := range 1500 {
				parameters = append(parameters, fmt.Sprintf(fmt.Sprintf(parameter, test.configMap), i))
			}
			arguments := `"arguments":{"parameters":[` + strings.Join(parameters, ",") + `]},"entrypoint"`
			h.post(t, reviewJSON(t, strings.Replace(workflowWithSecret, `"entrypoint"`, arguments, 1)))
			if got := asked.Load(); got > test.most {
				t.Errorf("%d lookups", got)
			}
			if lines := strings.Count(h.log.String(), "lookup failed"); strings.Contains(name, "no time") && lines > 10 {
				t.Errorf("%d lines of log", lines)
			}
		})
	}
}
