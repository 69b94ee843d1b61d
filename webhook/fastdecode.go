package webhook

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// open reads the review in a body, with its object where both can be read at once. done gives back the room for the object.
func (h *handler) open(ctx context.Context, body []byte) (req *admissionv1.AdmissionRequest, object subject, done func(), err error) {
	nothing := func() {}
	if w := estimate(body); len(body) <= maxBody && !w.hasArgoV4Fields && w.exceedsLimits() == nil {
		if done, err := h.limiter.objects.Acquire(ctx, int64(w.bytes(len(body)))); err == nil {
			if req, object, err := h.attempt(body); err == nil {
				return req, object, done, nil
			}
			done()
		}
	}
	req, err = readReview(body)
	return req, nil, nothing, err
}

// attempt is the quick way. What panics on it is left to the long one.
func (h *handler) attempt(body []byte) (req *admissionv1.AdmissionRequest, object subject, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h.kind.decodeFast(body)
}

// reviewOf is an AdmissionReview with objects of a type.
type reviewOf[T any] struct {
	metav1.TypeMeta `json:",inline"`
	Request         *struct {
		admissionv1.AdmissionRequest `json:",inline"`

		// These take the place of those in the AdmissionRequest.
		Object    *T `json:"object"`
		OldObject *T `json:"oldObject"`
	} `json:"request"`
}

// kubernetesJSON lets the library read JSON as k8s.io/apimachinery/pkg/util/json does, which takes half as long again: as encoding/json does, but
// that the names of fields must be written as they are.
var kubernetesJSON = json.JoinOptions(jsonv1.DefaultOptionsV1(), json.MatchCaseInsensitiveNames(false))

// decodeFast reads a review together with the objects in it. The error only says that it can't be read in this way.
func decodeFast[T any](body []byte) (req *admissionv1.AdmissionRequest, object, old *T, err error) {
	var review reviewOf[T]
	if err := json.Unmarshal(body, &review, kubernetesJSON); err != nil {
		return nil, nil, nil, err
	}
	if review.TypeMeta != reviewType || review.Request == nil || review.Request.UID == "" || review.Request.Object == nil {
		return nil, nil, nil, errors.New("not a review of an object")
	}
	return &review.Request.AdmissionRequest, review.Request.Object, review.Request.OldObject, nil
}
