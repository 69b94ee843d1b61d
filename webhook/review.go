package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "k8s.io/apimachinery/pkg/util/json"
)

// maxBody bounds the memory of a review. An API server takes objects of up to 3 MiB, and an update carries two.
const maxBody = 7 << 20

var reviewType = metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}

// badRequest is a request that can't be answered as a review, because it is none.
type badRequest struct {
	status int
	reason string // for the metric
	err    error
}

// Error says what is wrong with the request.
func (b *badRequest) Error() string { return b.err.Error() }

// errTooLarge is a review that is over maxBody, of which only the UID is known.
var errTooLarge = fmt.Errorf("the AdmissionReview is larger than %d MiB", maxBody>>20)

// bodies are buffers for what comes in. Nothing that outlives a review may refer to one.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads what was posted into a buffer. The error is a badRequest.
func readBody(r *http.Request, into *bytes.Buffer) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, &badRequest{http.StatusMethodNotAllowed, "method", fmt.Errorf("method %s is not allowed: POST an AdmissionReview", r.Method)}
	}
	into.Reset()
	if r.ContentLength > 0 {
		into.Grow(int(min(r.ContentLength, maxBody)) + bytes.MinRead) // so that it need not grow when it is full
	}
	switch _, err := into.ReadFrom(io.LimitReader(r.Body, maxBody+1)); {
	case err != nil:
		return nil, &badRequest{http.StatusBadRequest, "unreadable", fmt.Errorf("the body can't be read: %w", err)}
	case into.Len() == 0:
		return nil, &badRequest{http.StatusBadRequest, "empty", errors.New("the body is empty: POST an AdmissionReview")}
	}
	return into.Bytes(), nil
}

// readReview reads an AdmissionReview, of which the objects stay JSON. The error is a badRequest, or errTooLarge, with which the returned
// request has a UID and nothing else.
func readReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	if len(body) > maxBody {
		if uid := findUID(body); uid != "" {
			return &admissionv1.AdmissionRequest{UID: uid}, errTooLarge
		}
		return nil, &badRequest{http.StatusRequestEntityTooLarge, "too_large", errTooLarge}
	}
	var review admissionv1.AdmissionReview
	if err := kjson.Unmarshal(body, &review); err != nil {
		return nil, &badRequest{http.StatusBadRequest, "not_json", fmt.Errorf("the body is no AdmissionReview: %w", err)}
	}
	if review.TypeMeta != reviewType || review.Request == nil || review.Request.UID == "" {
		return nil, &badRequest{http.StatusBadRequest, "not_a_review", fmt.Errorf(
			"the body is no AdmissionReview with a request: expected apiVersion %s, kind %s, got apiVersion '%s', kind '%s'",
			reviewType.APIVersion, reviewType.Kind, review.APIVersion, review.Kind)}
	}
	return review.Request, nil
}

// findUID looks for request.uid at the head of a review that is cut off. The API server writes it first.
func findUID(head []byte) types.UID {
	decoder := json.NewDecoder(bytes.NewReader(head))
	var path []string // the keys of the objects that are open
	key, isKey := "", false
	for range 64 {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		switch t := token.(type) {
		case json.Delim:
			if t != '{' {
				return "" // only objects lead to the UID
			}
			path, isKey = append(path, key), true
		case string:
			if isKey {
				key, isKey = t, false
				continue
			}
			if len(path) == 2 && path[1] == "request" && key == "uid" {
				return types.UID(t)
			}
			isKey = true
		default:
			isKey = true
		}
	}
	return ""
}

// maxWrite is how long sending an answer may take. Who does not read his must not keep the memory of his review for ever.
const maxWrite = 5 * time.Second

// setWriteDeadline gives an answer its deadline, each its own: that of the one before stays with a connection of HTTP/1.1. What is no connection has none.
func setWriteDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(maxWrite))
}

// writeReview sends the answer to a review.
func writeReview(w http.ResponseWriter, response *admissionv1.AdmissionResponse) error {
	setWriteDeadline(w)
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(admissionv1.AdmissionReview{TypeMeta: reviewType, Response: response})
}

// maxReview is how long a review may take whose caller does not say how long it waits: the API server's own default.
const maxReview = 10 * time.Second

// timeLeft is how long a review may take. A tenth of the time that the API server waits is left for the way back.
func timeLeft(r *http.Request) time.Duration {
	asked, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || asked <= 0 {
		asked = maxReview
	}
	return asked * 9 / 10
}
