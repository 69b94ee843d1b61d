package webhook

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
)

// TestBusy: what there is no memory for waits, and passes when it has waited long enough.
func TestReviewWithoutFreeMemory(t *testing.T) {
	b := newTestHandler(t, workflows, nil)
	b.timeout = "50ms"
	b.limiter = memoryLimiter{newByteSemaphore(1000), newByteSemaphore(1000)}
	for space, check := range map[*byteSemaphore]func(*http.Response, *admissionv1.AdmissionResponse){
		b.limiter.bodies: func(response *http.Response, _ *admissionv1.AdmissionResponse) {
			if response.StatusCode != http.StatusServiceUnavailable || testutil.ToFloat64(b.metrics.badRequests.WithLabelValues("busy")) != 1 {
				t.Errorf("status %d", response.StatusCode)
			}
		},
		b.limiter.objects: func(_ *http.Response, answer *admissionv1.AdmissionResponse) {
			if !answer.Allowed || answer.AuditAnnotations["unchecked"] != passBusy || len(answer.Warnings) != 1 {
				t.Errorf("answered %+v", answer)
			}
		},
	} {
		giveBack, err := space.Acquire(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		check(b.post(t, reviewJSON(t, workflowWithSecret)))
		giveBack()
	}
	// Both are free again: nothing that was refused holds anything.
	for _, space := range []*byteSemaphore{b.limiter.bodies, b.limiter.objects} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := space.Acquire(ctx, 1000); err != nil {
			t.Error("not all is given back")
		}
		cancel()
	}
}
