package webhook

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestImpossibleSecretName reviews Workflows that name Secrets with names that no object can have. Such names are not looked up.
func TestImpossibleSecretName(t *testing.T) {
	h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/secrets/") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	for _, name := range []string{"A_B", "a/b", "..", "a%b"} {
		if _, answer := h.post(t, reviewJSON(t, strings.Replace(workflowWithSecret, "credentials", name, 1))); answer.Allowed {
			t.Errorf("a Workflow that needs Secret %q is admitted", name)
		}
	}
}

// TestRequestNamespaceWins has an object with another namespace than its request. Only the request's namespace is looked at.
func TestRequestNamespaceWins(t *testing.T) {
	h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "elsewhere") {
			t.Errorf("lookup of %s", r.URL.Path)
		}
		lookuptest.NotFound(w)
	})
	body := strings.Replace(reviewJSON(t, workflowWithSecret), `"metadata":{"name":"run","namespace":"team-a"}`,
		`"metadata":{"name":"run","namespace":"elsewhere"}`, 1)
	if _, answer := h.post(t, body); answer.Allowed || strings.Contains(answer.Result.Message, "elsewhere") {
		t.Errorf("answered %+v", answer)
	}
}

// TestCacheMayHit judges a run of KFP v2 whose first step may come from the cache. Whether that step is certain to run is configurable.
func TestCacheMayHit(t *testing.T) {
	text, err := os.ReadFile("../testdata/workflow/workflow-secret-missing/deny-kfp-v2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	object, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, mayHit := range []bool{false, true} {
		h := newTestHandler(t, workflows, func(w http.ResponseWriter, r *http.Request) { lookuptest.NotFound(w) })
		h.config.KFP.CacheMayHit = mayHit
		_, answer := h.post(t, reviewJSON(t, string(object)))
		if answer.Allowed || strings.Contains(answer.Result.Message, "'dataset'") == mayHit || (len(answer.Warnings) == 1) != mayHit {
			t.Errorf("cacheMayHit %v: answered %+v", mayHit, answer)
		}
	}
}

func TestIsASCII(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                 true,
		`{"a":"b"}`:                        true,
		`{"a":"\u003cb\u003e"}`:            true,
		`{"a":"plain and long enough\\n"}`: true,
		`{"a":"\u007f"}`:                   true,
		`{"a":"é"}`:                        false,
		`{"a":"plain and long enough, é"}`: false,
		`{"a":"\u00e9"}`:                   false,
		`{"a":"\u2028"}`:                   false,
		`{"a":"\u0120"}`:                   false,
		`\u00`:                             false,
		`{"a":"\u003c\u2028"}`:             false,
	} {
		if got := isASCII([]byte(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
