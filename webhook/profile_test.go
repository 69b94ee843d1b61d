package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestProfileNameNotANamespace reviews Profiles with names that no namespace can have. The names must not end up in the path of a lookup.
func TestProfileNameNotANamespace(t *testing.T) {
	h := newTestHandler(t, profiles, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "limitranges") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	for _, name := range []string{"", "a.b", "..", "A"} {
		body := strings.ReplaceAll(reviewJSON(t, profileWithCPUQuota), `"name":"team-a"`, fmt.Sprintf(`"name":%q`, name))
		_, answer := h.post(t, body)
		if name == "" { // cannot happen: the API server has generated a name by now
			if !answer.Allowed {
				t.Errorf("a Profile without a name: answered %+v", answer)
			}
			continue
		}
		if answer.Allowed || !strings.Contains(answer.Result.Message, "profile-quota-invalid") {
			t.Errorf("Profile '%s': answered %+v", name, answer)
		}
	}
}
