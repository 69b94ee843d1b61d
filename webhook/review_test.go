package webhook

import (
	"net/http/httptest"
	"testing"
	"time"
)

// deadlineRecorder is a ResponseWriter with a connection whose writes can time out.
type deadlineRecorder struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (t *deadlineRecorder) SetWriteDeadline(at time.Time) error {
	t.deadline = at
	return nil
}

func TestWriteReviewSetsDeadline(t *testing.T) {
	w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	if err := writeReview(w, nil); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(w.deadline); left <= 0 || left > maxWrite {
		t.Errorf("the deadline is in %s", left)
	}
}
