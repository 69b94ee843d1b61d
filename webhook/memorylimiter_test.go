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
	h := newTestHandler(t, workflows, nil)
	h.timeout = "50ms"
	h.limiter = memoryLimiter{newByteSemaphore(1000), newByteSemaphore(1000)}
	for space, check := range map[*byteSemaphore]func(*http.Response, *admissionv1.AdmissionResponse){
		h.limiter.bodies: func(response *http.Response, _ *admissionv1.AdmissionResponse) {
			if response.StatusCode != http.StatusServiceUnavailable || testutil.ToFloat64(h.metrics.badRequests.WithLabelValues("busy")) != 1 {
				t.Errorf("status %d", response.StatusCode)
			}
		},
		h.limiter.objects: func(_ *http.Response, answer *admissionv1.AdmissionResponse) {
			if !answer.Allowed || answer.AuditAnnotations["unchecked"] != passBusy || len(answer.Warnings) != 1 {
				t.Errorf("answered %+v", answer)
			}
		},
	} {
		giveBack, err := space.Acquire(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		check(h.post(t, reviewJSON(t, workflowWithSecret)))
		giveBack()
	}
	// Both are free again: nothing that was refused holds anything.
	for _, space := range []*byteSemaphore{h.limiter.bodies, h.limiter.objects} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := space.Acquire(ctx, 1000); err != nil {
			t.Error("not all is given back")
		}
		cancel()
	}
}
