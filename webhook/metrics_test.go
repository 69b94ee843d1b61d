package webhook

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestAlertCountersStartAtZero lets everything happen that an alert looks for an increase of. A series that only comes into being by it would have
// none.
func TestAlertCountersStartAtZero(t *testing.T) {
	for _, k := range []kind{profiles, workflows} {
		t.Run(k.name, func(t *testing.T) {
			h := newTestHandler(t, k, nil)
			h.metrics.initialize(k)
			began := h.series(t, "kfp_preflight_reviews_total")
			for _, passed := range []string{passKind, passBusy, passUnreadable, passPanic} {
				if !regexp.MustCompile(`passed="` + passed + `"`).MatchString(strings.Join(began, "\n")) {
					t.Errorf("%s does not begin at zero", passed)
				}
			}
			for _, body := range []string{
				reviewJSON(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"a"}}`),
				`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"uid","object":{"a":"` + strings.Repeat("x", maxBody) + `"}}}`,
				strings.Replace(reviewJSON(t, `{"apiVersion":"`+k.group+`/v1","kind":"`+k.name+`","metadata":{"name":"a","namespace":"a"}}`), `"object":{`, `"dryRun":true,"object":{"spec":7,`, 1),
			} {
				if _, answer := h.post(t, body); answer == nil || len(answer.Warnings) == 0 {
					t.Errorf("not let through unchecked: %.200s", body)
				}
			}
			if after := h.series(t, "kfp_preflight_reviews_total"); !slices.Equal(began, after) {
				t.Errorf("began with\n%s\nbecame\n%s", strings.Join(began, "\n"), strings.Join(after, "\n"))
			}
		})
	}
}
