package webhook

import (
	"context"
	"errors"
	"net"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

func newLookupError(err error) *lookupError {
	var network net.Error
	switch {
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
