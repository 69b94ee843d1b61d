package webhook

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestExempt reviews objects that would be denied, with and without an exemption for the request.
func TestExempt(t *testing.T) {
	for name, exempt := range map[string]Exemptions{
		"the namespace": {Namespaces: []string{"team-a"}}, "the user": {Users: []string{"someone"}}, "a group": {Groups: []string{"people"}},
	} {
		for _, k := range []struct {
			kind   kind
			object string
		}{{profiles, profileWithCPUQuota}, {workflows, workflowWithSecret}} {
			h := newTestHandler(t, k.kind, func(w http.ResponseWriter, _ *http.Request) { lookuptest.NotFound(w) })
			body := strings.Replace(reviewJSON(t, k.object), `"uid":`, `"userInfo":{"username":"someone","groups":["others","people"]},"uid":`, 1)
			h.config.Exempt = exempt
			if _, answer := h.post(t, body); !answer.Allowed || len(answer.Warnings) > 0 {
				t.Errorf("%s is exempt, and the %s is judged: %+v", name, k.kind.name, answer)
			}
			h.config.Exempt = Exemptions{Namespaces: []string{"team-b"}, Users: []string{"people"}, Groups: []string{"someone"}}
			if _, answer := h.post(t, body); answer.Allowed && len(answer.Warnings) == 0 {
				t.Errorf("%s is not exempt, and the %s is not judged: %+v", name, k.kind.name, answer)
			}
		}
	}
}
