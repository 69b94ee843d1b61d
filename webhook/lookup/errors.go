package lookup

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

// lookupError is a failed lookup, worded for the user. The API server's own words may say more than the user should see; they go
// to the log.
type lookupError struct {
	reason  string // label of the metric
	message string
	cause   error
}

// Error returns text that a user may read.
func (e *lookupError) Error() string { return e.message }

// Unwrap returns the underlying error.
func (e *lookupError) Unwrap() error { return e.cause }

// unreadableError is a response that could not be decoded.
type unreadableError struct{ cause error }

// Error implements error.
func (e *unreadableError) Error() string { return "it could not be understood: " + e.cause.Error() }

// panicError is a panic in a lookup.
type panicError struct {
	value any
	stack []byte
}

// Error returns text for the log.
func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// errTooMany is the error of further lookups once a session has used up maxLookups.
var errTooMany = errors.New("too many lookups for one object")

// isNotFound reports whether the API server said that the object does not exist. A 404 from something else in its place, such as a
// proxy without a backend, does not count.
func isNotFound(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// newLookupError classifies an error and words it for the user.
func newLookupError(err error) *lookupError {
	switch {
	case errors.As(err, new(*panicError)):
		return &lookupError{"panic", "a bug in kfp-preflight; see its log", err}
	case errors.Is(err, errTooMany):
		return &lookupError{"too_many", errTooMany.Error(), err}
	case isTimeout(err):
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

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) ||
		apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err)
}

// retryable reports whether a failed lookup may succeed if it is repeated.
func retryable(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	return isNetworkError(err)
}

func isNetworkError(err error) bool {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // url.Error itself is a net.Error, whatever it wraps, such as a wrong certificate
	}
	return errors.As(err, new(net.Error)) || errors.As(err, new(http2.StreamError)) || errors.Is(err, io.ErrUnexpectedEOF) ||
		utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
}
