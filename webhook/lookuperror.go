package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/net/http2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// lookupError is a lookup that gave no answer, in words for the user; the API server's own words may say more than the
// user should see, and go to the log.
type lookupError struct {
	reason string // for the metric
	words  string
	cause  error
}

// Error is fit for a user to read.
func (e *lookupError) Error() string { return e.words }

// Unwrap is what really went wrong.
func (e *lookupError) Unwrap() error { return e.cause }

// unreadable is an answer that could not be understood.
type unreadable struct{ cause error }

// Error says so.
func (u *unreadable) Error() string { return "it could not be understood: " + u.cause.Error() }

// bug is a panic in a lookup.
type bug struct {
	panicked any
	stack    []byte
}

// Error is for the log.
func (b *bug) Error() string { return fmt.Sprintf("panic: %v\n%s", b.panicked, b.stack) }

// errTooMany is the answer to a judgement that has asked for more than anybody needs.
var errTooMany = errors.New("too many lookups for one object")

// isNotFound reports whether an error is the API server's answer that there is no such object. A 404 of anything else that stands
// in its place, such as a proxy without a backend, is none.
func isNotFound(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

func newLookupError(err error) *lookupError {
	switch {
	case errors.As(err, new(*bug)):
		return &lookupError{"panic", "a bug in kfp-preflight; see its log", err}
	case errors.Is(err, errTooMany):
		return &lookupError{"too_many", errTooMany.Error(), err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return &lookupError{"timeout", "the API server did not answer in time", err}
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return &lookupError{"forbidden", "kfp-preflight is not permitted to read it", err}
	case apierrors.IsTooManyRequests(err):
		return &lookupError{"throttled", "the API server is busy", err}
	case errors.As(err, new(apierrors.APIStatus)):
		return &lookupError{"server_error", "the API server answered with an error", err}
	case isNetworkError(err), errors.As(err, new(*url.Error)):
		return &lookupError{"connection", "the API server could not be reached", err}
	}
	return &lookupError{"unreadable", "it could not be understood", err}
}

// retryable reports whether a lookup that has failed may succeed if it is done again.
func retryable(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	return isNetworkError(err)
}

// isNetworkError reports whether an error is the network's.
func isNetworkError(err error) bool {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // the one around it looks like a network's whatever it is, a wrong certificate too
	}
	return errors.As(err, new(net.Error)) || errors.As(err, new(http2.StreamError)) || errors.Is(err, io.ErrUnexpectedEOF) ||
		utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
}
