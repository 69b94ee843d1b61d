package webhook

import (
	"net/http/httptest"
	"testing"
	"time"
)

// timed is a ResponseWriter with a connection whose writes can time out.
type timed struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (t *timed) SetWriteDeadline(at time.Time) error {
	t.deadline = at
	return nil
}

func TestAnAnswerThatNobodyReadsHasADeadline(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	if err := writeReview(w, nil); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(w.deadline); left <= 0 || left > maxWrite {
		t.Errorf("the deadline is in %s", left)
	}
}
