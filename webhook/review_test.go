package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestTimeLeft(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"": 9 * time.Second, "?timeout=5s": 4500 * time.Millisecond, "?timeout=1s": 900 * time.Millisecond, "?timeout=soon": 9 * time.Second, "?timeout=-1s": 9 * time.Second,
	} {
		if got := timeLeft(httptest.NewRequest(http.MethodPost, "/"+query, nil)); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

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
