package validators

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Facts are what rules may ask about the cluster. An error means that the answer could not be found out; its text is
// fit for a user to read. Rules never take it for an answer.
type Facts interface {
	forecast.Facts
	// LimitRanges are those of a namespace; none if the namespace does not exist.
	LimitRanges(namespace string) ([]corev1.LimitRange, error)
	// Secrets answers for each of the names, which are asked for together so that they can be looked up together.
	Secrets(namespace string, names []string) map[string]Secret
}

// Secret is what rules may know of a Secret: whether it exists and what its keys are called. Never a value.
type Secret struct {
	Exists bool
	Keys   sets.Set[string]
	// Err is set if it could not be found out; the other fields say nothing then.
	Err error
}
