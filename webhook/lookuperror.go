package webhook

import (
	"context"
	"errors"
	"net"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// errBug is what users are told of a panic.
var errBug = errors.New("a bug in kfp-preflight; see its log")

// notThere reports whether an error is the API server's answer that there is no such object. A 404 of anything else that stands
// in its place, such as a proxy without a backend, is none.
func notThere(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

func newLookupError(err error) *lookupError {
	var network net.Error
	switch {
	case errors.As(err, new(*unreadable)):
		return &lookupError{"unreadable", "it could not be understood", err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return &lookupError{"timeout", "the API server did not answer in time", err}
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return &lookupError{"forbidden", "kfp-preflight is not permitted to read it", err}
	case apierrors.IsTooManyRequests(err):
		return &lookupError{"throttled", "the API server is busy", err}
	case errors.As(err, new(apierrors.APIStatus)):
		return &lookupError{"server_error", "the API server answered with an error", err}
	case errors.As(err, &network):
		return &lookupError{"connection", "the API server could not be reached", err}
	}
	return &lookupError{"connection", "the connection to the API server broke", err}
}

// passing reports whether a lookup that has failed may succeed if it is done again.
func passing(err error) bool {
	switch newLookupError(err).reason {
	case "throttled", "connection":
		return true
	case "server_error":
		return apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
	}
	return false
}
