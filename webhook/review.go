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

// maxBody is the size limit of a request. The API server accepts objects of up to 3 MiB, and an update carries two.
const maxBody = 7 << 20

var reviewType = metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}

// badRequest is the error of a request that is not an AdmissionReview.
type badRequest struct {
	status int
	reason string // for the metric
	err    error
}

// Error implements error.
func (b *badRequest) Error() string { return b.err.Error() }

// errTooLarge is the error of a review that is larger than maxBody. Only its UID is read.
var errTooLarge = fmt.Errorf("the AdmissionReview is larger than %d MiB", maxBody>>20)

// bodies are buffers for request bodies, which are reused. Nothing that outlives a review may refer to one.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads the body of a request into a buffer. The error is a badRequest.
func readBody(r *http.Request, into *bytes.Buffer) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, &badRequest{
			http.StatusMethodNotAllowed, "method", fmt.Errorf("method %s is not allowed: POST an AdmissionReview", r.Method),
		}
	}
	into.Reset()
	if r.ContentLength > 0 {
		into.Grow(int(min(r.ContentLength, maxBody)) + bytes.MinRead) // ReadFrom grows a buffer with less space than MinRead
	}
	switch _, err := into.ReadFrom(io.LimitReader(r.Body, maxBody+1)); {
	case err != nil:
		return nil, &badRequest{http.StatusBadRequest, "unreadable", fmt.Errorf("the body can't be read: %w", err)}
	case into.Len() == 0:
		return nil, &badRequest{http.StatusBadRequest, "empty", errors.New("the body is empty: POST an AdmissionReview")}
	}
	return into.Bytes(), nil
}

// readReview decodes an AdmissionReview but not its objects. The error is a badRequest, or errTooLarge; then the returned request
// has a UID and nothing else.
func readReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	if len(body) > maxBody {
		if uid := findUID(body); uid != "" {
			return &admissionv1.AdmissionRequest{UID: uid}, errTooLarge
		}
		return nil, &badRequest{http.StatusRequestEntityTooLarge, "too_large", errTooLarge}
	}
	var review admissionv1.AdmissionReview
	if err := kjson.Unmarshal(body, &review); err != nil {
		return nil, &badRequest{http.StatusBadRequest, "not_json", fmt.Errorf("the body is not an AdmissionReview: %w", err)}
	}
	if review.TypeMeta != reviewType || review.Request == nil || review.Request.UID == "" {
		return nil, &badRequest{http.StatusBadRequest, "not_a_review", fmt.Errorf(
			"the body is not an AdmissionReview with a request: expected apiVersion %s, kind %s, got apiVersion '%s', kind '%s'",
			reviewType.APIVersion, reviewType.Kind, review.APIVersion, review.Kind)}
	}
	return review.Request, nil
}

// findUID finds request.uid near the beginning of a review, where the API server writes it. It returns an empty UID if it is not there.
func findUID(head []byte) types.UID {
	decoder := json.NewDecoder(bytes.NewReader(head))
	var path []string // the keys of the enclosing objects
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

// maxWrite bounds how long an answer may take to send, so that clients that don't read it can't occupy memory.
const maxWrite = 5 * time.Second

// setWriteDeadline sets the deadline of one answer. Each answer needs its own: on HTTP/1.1 the previous one stays with the connection.
func setWriteDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(maxWrite)) // a test's writer has no connection
}

// writeReview sends the answer to a review.
func writeReview(w http.ResponseWriter, response *admissionv1.AdmissionResponse) error {
	setWriteDeadline(w)
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(admissionv1.AdmissionReview{TypeMeta: reviewType, Response: response})
}

// maxReview is the timeout of a review if the request has none: the API server's own default.
const maxReview = 10 * time.Second

// timeLeft returns how long a review may take: the API server's timeout, less a tenth for the network.
func timeLeft(r *http.Request) time.Duration {
	asked, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || asked <= 0 {
		asked = maxReview
	}
	return asked * 9 / 10
}
