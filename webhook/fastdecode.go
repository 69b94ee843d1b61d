package webhook

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/webhook/decodecost"
)

// decodeReview decodes the review in a body. If that is possible, it decodes the object in the same pass; otherwise object is nil. The
// caller must call release, which frees the memory of the object. The error is that of readReview.
func (h *handler) decodeReview(
	ctx context.Context, body []byte,
) (req *admissionv1.AdmissionRequest, object subject, release func(), err error) {
	if cost := decodecost.Of(body); len(body) <= maxBody && !cost.HasArgoV4Fields && cost.ExceedsLimits() == nil {
		if release, err := h.limiter.objects.Acquire(ctx, int64(cost.Bytes())); err == nil {
			if req, object, err := h.tryDecodeFast(body); err == nil {
				return req, object, release, nil
			}
			release()
		}
	}
	req, err = readReview(body)
	return req, nil, func() {}, err
}

// tryDecodeFast calls kind.decodeFast and turns a panic into an error. The slow decoder then reports what is wrong.
func (h *handler) tryDecodeFast(body []byte) (req *admissionv1.AdmissionRequest, object subject, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h.kind.decodeFast(body)
}

// reviewOf is an AdmissionReview of objects of one type.
type reviewOf[T any] struct {
	metav1.TypeMeta `json:",inline"`
	Request         *struct {
		admissionv1.AdmissionRequest `json:",inline"`

		// These shadow the raw objects of the AdmissionRequest.
		Object    *T `json:"object"`
		OldObject *T `json:"oldObject"`
	} `json:"request"`
}

// kubernetesJSON makes the library decode like k8s.io/apimachinery/pkg/util/json: like encoding/json, but with case-sensitive field
// names. The Kubernetes package itself takes 1.5 times as long.
var kubernetesJSON = json.JoinOptions(jsonv1.DefaultOptionsV1(), json.MatchCaseInsensitiveNames(false))

// decodeFast decodes a review and its objects in one pass. An error means only that the body
// needs the slow decoder.
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
