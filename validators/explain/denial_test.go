package explain

import (
	"slices"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

const (
	deniedBy = `Failed to create a new run: InternalServerError: Failed to create a workflow for (): ` +
		`admission webhook "workflow.kfp-preflight.dev" denied the request: `
	secretNotFound = `CreateContainerConfigError: secret "client-secrets" not found`
	quotaError     = `pods "x" is forbidden: failed quota: q: must specify cpu for: init`

	// Findings without a skip hint.
	secretFinding = "workflow-secret-missing: create Secret 'x' in namespace 'team-a', or correct its name. Step a needs it. " +
		"Without it the pod stays in Pending (CreateContainerConfigError: secret 'x' not found)."
	quotaFinding = "workflow-quota-compute: add a LimitRange with defaultRequest for cpu to namespace 'team-a'. " +
		"Argo's containers init, wait of step a set no cpu. " +
		"The API server refuses the pod: 'failed quota: q: must specify cpu for: init,wait'."

	// Findings of older versions, each with a skip hint.
	oldSecretFinding = "workflow-secret-missing: namespace 'team-a' has no Secret 'x', needed by step a; " +
		"the pod would hang in Pending for ever (CreateContainerConfigError: secret 'x' not found); to fix, create it; " +
		"to skip this rule: annotation kfp-preflight.dev/skip: workflow-secret-missing"
	oldQuotaFinding = "workflow-quota-compute: ResourceQuota 'q' ('failed quota: q: must specify cpu for: init'); " +
		"to skip this rule: annotation kfp-preflight.dev/skip: workflow-quota-compute"
)

// TestDenials reads denials in both forms. What a denial quotes did not happen, but what follows it did.
func TestDenials(t *testing.T) {
	c := load(t)
	hint := func(rules ...string) string { return " " + validators.SkipHint(rules) }
	const secret, quota = "workflow-secret-missing", "workflow-quota-compute"
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"one finding", deniedBy + secretFinding + hint(secret), []string{secret}},
		{
			"one finding, followed by an error",
			deniedBy + secretFinding + hint(secret) + "\n" + secretNotFound, []string{secret, "secret-missing"},
		},
		{"two findings", deniedBy + secretFinding + " | " + quotaFinding + hint(secret, quota), []string{secret, quota}},
		{
			"two findings, followed by errors",
			deniedBy + secretFinding + " | " + quotaFinding + hint(secret, quota) + "\n" + secretNotFound + "\n" + quotaError,
			[]string{secret, quota, "secret-missing", "quota-must-specify"},
		},
		{"two findings of one rule", deniedBy + secretFinding + " | " + secretFinding + hint(secret), []string{secret}},
		{
			"the causes that kubectl prints",
			"The Workflow \"x\" is invalid:\n* spec.templates[0]: " + secretFinding + "\n* spec.templates[1]: " + quotaFinding +
				hint(secret, quota) + "\n" + secretNotFound,
			[]string{secret, quota, "secret-missing"},
		},
		{"two warnings", "Warning: " + secretFinding + "\nWarning: " + quotaFinding + hint(secret, quota), []string{secret, quota}},
		{"no hint, as in audit annotations", secretFinding + " | " + quotaFinding, []string{secret, quota}},
		{"no hint, followed by an error that the rule does not quote", secretFinding + "\n" + quotaError, []string{secret, "quota-must-specify"}},
		{"a hint that lists other rules only", secretFinding + hint(quota) + "\n" + quotaError, []string{secret, "quota-must-specify"}},
		{"cut off in its quotation", deniedBy + secretFinding[:strings.Index(secretFinding, " not found")], []string{secret}},
		{"cut off in its hint", (deniedBy + secretFinding + hint(secret, quota))[:len(deniedBy+secretFinding)+40], []string{secret}},

		{"older form: one finding", deniedBy + oldSecretFinding, []string{secret}},
		{
			"older form: one finding, followed by an error",
			deniedBy + oldSecretFinding + "\n" + secretNotFound, []string{secret, "secret-missing"},
		},
		{"older form: two findings", deniedBy + oldSecretFinding + " | " + oldQuotaFinding, []string{secret, quota}},
		{
			"older form: cut off in its quotation",
			deniedBy + oldSecretFinding[:strings.Index(oldSecretFinding, "; to fix")], []string{secret},
		},
		{
			"both forms in one text",
			deniedBy + oldSecretFinding + "\n" + deniedBy + quotaFinding + hint(quota), []string{secret, quota},
		},
	} {
		for how, transform := range wrappings {
			text := transform(test.text)
			if how == "in an older one, cut off" {
				continue // which findings are left depends on the length
			}
			if got := ids(c.Explain(text)); !slices.Equal(got, test.want) {
				t.Errorf("%s, %s: %v, want %v", test.name, how, got, test.want)
			}
		}
	}
}

// TestMessagesWithHints appends the skip hint to the messages that the rules produce for their cases, as the webhook does.
func TestMessagesWithHints(t *testing.T) {
	c := load(t)
	for rule, messages := range caseMessages(t) {
		for _, message := range messages {
			text := deniedBy + message + " " + validators.SkipHint([]string{rule})
			for how, transform := range wrappings {
				if got := ids(c.Explain(transform(text))); !slices.Equal(got, []string{rule}) {
					t.Errorf("%s, %s: %v", text, how, got)
				}
			}
			want := []string{rule, "image-not-pulled"}
			if got := ids(c.Explain(text + "\nImagePullBackOff")); !slices.Equal(got, want) {
				t.Errorf("%s, followed by another error: %v", text, got)
			}
		}
	}
}
