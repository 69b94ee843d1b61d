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

// TestLookupsAreBounded reviews Workflows that need far more lookups than any real one.
func TestLookupsAreBounded(t *testing.T) {
	var refs []string
	for i := range 1000 {
		refs = append(refs, fmt.Sprintf(`{"secretRef":{"name":"secret-%d"}}`, i))
	}
	const tooMany = "of the 1000 objects that the Workflow needs, 800 were not checked"
	items := strings.TrimSuffix(strings.Repeat("1,", 1000), ",")
	for name, test := range map[string]struct {
		templates  string
		maxLookups int32
		warning    string
	}{
		"many Secrets": {`{"name":"main","container":{"envFrom":[` + strings.Join(refs, ",") + `]}}`, 210, tooMany},
		"loops over a WorkflowTemplate": {`
			{"name":"main","steps":[[{"name":"a","template":"u","withItems":[` + items + `],
				"arguments":{"parameters":[{"name":"x","value":"{{item}}"}]}}]]},
			{"name":"u","inputs":{"parameters":[{"name":"x"}]},
				"steps":[[{"name":"b","withItems":[` + items + `],"templateRef":{"name":"a","template":"b"}}]]}`, 5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var lookups atomic.Int32
			h := newTestHandler(t, workflows, func(w http.ResponseWriter, _ *http.Request) {
				lookups.Add(1)
				lookuptest.NotFound(w)
			})
			h.setLookupTimeout(10 * time.Second)
			_, answer := h.post(t, reviewJSON(t, workflowJSON(test.templates)))
			if got := lookups.Load(); got > test.maxLookups {
				t.Errorf("%d lookups, want at most %d", got, test.maxLookups)
			}
			if test.warning == "" {
				return
			}
			if answer.Allowed || len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], test.warning) {
				t.Errorf("allowed %v, warnings %q, want %q", answer.Allowed, answer.Warnings, test.warning)
			}
		})
	}
}

// TestRepeatedLookupsAreShared reviews a Workflow that names one missing ConfigMap 1500 times, and Workflows that name 1500 different
// ones.
func TestRepeatedLookupsAreShared(t *testing.T) {
	const parameter = `{"name":"p%%[1]d","valueFrom":{"configMapKeyRef":{"name":"%s","key":"k"}}}`
	for name, test := range map[string]struct {
		configMap  string
		maxLookups int32
	}{
		"the same":                 {"gone", 10},
		"all different":            {"gone-%[1]d", 1010},
		"all different, no answer": {"slow-%[1]d", 10},
	} {
		t.Run(name, func(t *testing.T) {
			var lookups atomic.Int32
			h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
				lookups.Add(1)
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
			if got := lookups.Load(); got > test.maxLookups {
				t.Errorf("%d lookups, want at most %d", got, test.maxLookups)
			}
			if lines := strings.Count(h.log.String(), "lookup failed"); strings.Contains(name, "no answer") && lines > 10 {
				t.Errorf("%d failed lookups are logged, want at most 10", lines)
			}
		})
	}
}
