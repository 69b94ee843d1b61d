package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestProfileNameNotANamespace has Profiles whose names are none of a namespace, and lead nowhere else.
func TestProfileNameNotANamespace(t *testing.T) {
	h := newTestHandler(t, profiles, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "limitranges") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	for _, name := range []string{"", "a.b", "..", "A"} {
		body := strings.ReplaceAll(reviewJSON(t, profileWithCPUQuota), `"name":"team-a"`, fmt.Sprintf(`"name":%q`, name))
		// An API server that asks has given the object a name before.
		if _, answer := h.post(t, body); answer.Allowed != (name == "") || !answer.Allowed && !strings.Contains(answer.Result.Message, "profile-quota-invalid") {
			t.Errorf("Profile '%s': answered %+v", name, answer)
		}
	}
}
