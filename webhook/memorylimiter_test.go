package webhook

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
)

// TestReviewWithoutFreeMemory has a review wait for memory that another one occupies. When its time is up, the API server gets 503, or
// the object is admitted unchecked. The review must then not keep any memory.
func TestReviewWithoutFreeMemory(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	h.timeout = "50ms"
	h.limiter = memoryLimiter{newByteSemaphore(1000), newByteSemaphore(1000)}
	for occupied, check := range map[*byteSemaphore]func(*http.Response, *admissionv1.AdmissionResponse){
		h.limiter.bodies: func(response *http.Response, _ *admissionv1.AdmissionResponse) {
			counted := testutil.ToFloat64(h.metrics.badRequests.WithLabelValues("busy"))
			if response.StatusCode != http.StatusServiceUnavailable || counted != 1 {
				t.Errorf("status %d, counted %v times", response.StatusCode, counted)
			}
		},
		h.limiter.objects: func(_ *http.Response, answer *admissionv1.AdmissionResponse) {
			if !answer.Allowed || answer.AuditAnnotations["unchecked"] != passBusy || len(answer.Warnings) != 1 {
				t.Errorf("answered %+v", answer)
			}
		},
	} {
		release, err := occupied.Acquire(t.Context(), 500)
		if err != nil {
			t.Fatal(err)
		}
		check(h.post(t, reviewJSON(t, workflowWithSecret)))
		release()
	}
	for name, semaphore := range map[string]*byteSemaphore{"bodies": h.limiter.bodies, "objects": h.limiter.objects} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := semaphore.Acquire(ctx, 1000); err != nil {
			t.Errorf("the memory for %s was not released", name)
		}
		cancel()
	}
}
