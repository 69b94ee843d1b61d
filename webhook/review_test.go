package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestTimeLeft(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"":              9 * time.Second,
		"?timeout=5s":   4500 * time.Millisecond,
		"?timeout=1s":   900 * time.Millisecond,
		"?timeout=soon": 9 * time.Second,
		"?timeout=-1s":  9 * time.Second,
	} {
		if got := timeLeft(httptest.NewRequest(http.MethodPost, "/"+query, nil)); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

// deadlineRecorder is a ResponseRecorder that also records the write deadline.
type deadlineRecorder struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (r *deadlineRecorder) SetWriteDeadline(deadline time.Time) error {
	r.deadline = deadline
	return nil
}

func TestWriteReviewSetsDeadline(t *testing.T) {
	w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	if err := writeReview(w, nil); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(w.deadline); left <= 0 || left > maxWrite {
		t.Errorf("the deadline is in %s, want at most %s", left, maxWrite)
	}
}
