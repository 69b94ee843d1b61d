package webhook

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// TestNamespaceModes has the same finding in each mode of a namespace. The mode of a Workflow is part of the request's path, that of a
// Profile is a label of the Profile.
func TestNamespaceModes(t *testing.T) {
	for mode, want := range map[validators.Mode]struct {
		allowed  bool
		warnings int
		audit    string
		passed   string
	}{
		"":               {allowed: false},
		validators.Deny:  {allowed: false},
		validators.Warn:  {allowed: true, warnings: 1, audit: "warn"},
		validators.Audit: {allowed: true, audit: "audit"},
		validators.Off:   {allowed: true, passed: passMode},
	} {
		check := func(t *testing.T, h testHandler, answer *admissionv1.AdmissionResponse) {
			t.Helper()
			_, annotated := answer.AuditAnnotations[want.audit]
			if answer.Allowed != want.allowed || len(answer.Warnings) != want.warnings || annotated != (want.audit != "") {
				t.Errorf("answered %+v", answer)
			}
			if want.passed != "" && !strings.Contains(h.log.String(), `"passed"="`+want.passed+`"`) {
				t.Errorf("the log is %s", h.log)
			}
		}
		t.Run("Workflow/"+string(mode), func(t *testing.T) {
			h := newTestHandler(t, workflows, serveEmptyCluster)
			ceiling, served := workflows.paths()[strings.TrimSuffix("/validate-workflow/"+string(mode), "/")]
			if !served {
				t.Fatalf("mode %q has no path", mode)
			}
			h.config.Policy = h.config.Under(ceiling)
			_, answer := h.post(t, reviewJSON(t, workflowWithSecret))
			check(t, h, answer)
		})
		t.Run("Profile/"+string(mode), func(t *testing.T) {
			h := newTestHandler(t, profiles, serveEmptyCluster)
			label := fmt.Sprintf(`"name":"team-a","labels":{"%s":"%s"}`, validators.ModeLabel, mode)
			_, answer := h.post(t, reviewJSON(t, strings.Replace(profileWithCPUQuota, `"name":"team-a"`, label, 1)))
			check(t, h, answer)
		})
	}
	if paths := profiles.paths(); len(paths) != 1 {
		t.Errorf("Profiles have the paths %v, want one", paths)
	}
}

// TestNamespaceModeOverridesCeiling has a namespace that is stricter than the configuration. A rollout can begin with such a namespace.
func TestNamespaceModeOverridesCeiling(t *testing.T) {
	h := newTestHandler(t, workflows, serveEmptyCluster)
	h.config.Ceiling = validators.Audit
	h.config.Policy = h.config.Under(validators.Deny)
	if _, answer := h.post(t, reviewJSON(t, workflowWithSecret)); answer.Allowed {
		t.Errorf("answered %+v", answer)
	}
}
