package webhook

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestAlertCountersStartAtZero posts reviews that alerts react to. They must not create a series: Prometheus sees no increase in a series
// whose first sample is 1.
func TestAlertCountersStartAtZero(t *testing.T) {
	for _, k := range []kind{profiles, workflows} {
		t.Run(k.name, func(t *testing.T) {
			h := newTestHandler(t, k, nil)
			h.metrics.initialize(k)
			before := h.series(t, "kfp_preflight_reviews_total")
			for _, passed := range []string{passKind, passBusy, passUnreadable, passPanic} {
				if !regexp.MustCompile(`passed="` + passed + `"`).MatchString(strings.Join(before, "\n")) {
					t.Errorf("no series with passed=%s before the first review", passed)
				}
			}
			otherKind := reviewJSON(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"a"}}`)
			tooLarge := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1",
				"request":{"uid":"uid","object":{"a":"` + strings.Repeat("x", maxBody) + `"}}}`
			valid := reviewJSON(t, `{"apiVersion":"`+k.group+`/v1","kind":"`+k.name+`","metadata":{"name":"a","namespace":"a"}}`)
			unreadable := strings.Replace(valid, `"object":{`, `"dryRun":true,"object":{"spec":7,`, 1)
			for _, body := range []string{otherKind, tooLarge, unreadable} {
				if _, answer := h.post(t, body); answer == nil || len(answer.Warnings) == 0 {
					t.Errorf("not admitted unchecked: %.200s", body)
				}
			}
			if after := h.series(t, "kfp_preflight_reviews_total"); !slices.Equal(before, after) {
				t.Errorf("the series were\n%s\nand are now\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
		})
	}
}
