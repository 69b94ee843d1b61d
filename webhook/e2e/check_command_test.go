package e2e

import (
	"errors"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/objects"
	"github.com/kfp-preflight/kfp-preflight/validators/report"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// compareWithCheck evaluates an object as 'kfp-preflight check' does, and compares the result with the answer of the webhook:
// the error and the warnings, except for the skip hint, which only the webhook adds.
func compareWithCheck(t *testing.T, subject *unstructured.Unstructured, answer error, warnings []string) {
	t.Helper()
	raw, err := subject.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	o, err := objects.Decode(raw, subject.GetNamespace())
	if err != nil || o == nil {
		t.Fatal(o, err)
	}
	config := testConfig()
	config.Lookups.Remember.Duration = time.Nanosecond
	lookups, err := lookup.Connect(env.cluster.Webhook, config.LookupOptions())
	if err != nil {
		t.Fatal(err)
	}
	result := report.Evaluator{Facts: func() validators.Facts { return lookups.NewSession(t.Context()).Facts() }}.Evaluate(o)
	var denials, others []string
	for _, f := range result.Findings {
		if f.Level() == report.Denied {
			denials = append(denials, f.Field+": "+f.Message())
		} else {
			others = append(others, f.Message())
		}
	}
	var causes []string
	var status apierrors.APIStatus
	if errors.As(answer, &status) {
		for _, c := range status.Status().Details.Causes {
			causes = append(causes, c.Field+": "+c.Message)
		}
	}
	causes, _ = cutSkipHint(causes)
	warnings, _ = cutSkipHint(warnings)
	if !slices.Equal(denials, causes) {
		t.Errorf("the webhook denies with\n%q\nbut check with\n%q", causes, denials)
	}
	if !slices.Equal(others, warnings) {
		t.Errorf("the webhook warns with\n%q\nbut check with\n%q", warnings, others)
	}
}
