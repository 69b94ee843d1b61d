package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// kind is a kind of object that the webhook reviews.
type kind struct {
	group, name string
	// path is where the server takes reviews of this kind, as in the ValidatingWebhookConfiguration.
	path string
	// operations are those that are judged; all others pass.
	operations []admissionv1.Operation
	// modeInPath says that the API server selects the mode by the namespace's label and appends it to the path.
	modeInPath bool
	// decode decodes the object of a request, and the old object on update.
	decode func(*admissionv1.AdmissionRequest) (subject, error)
	// decodeFast decodes a whole review in one pass. When it fails, decode either succeeds or says why not.
	decodeFast func(body []byte) (*admissionv1.AdmissionRequest, subject, error)
}

// paths are all paths that take reviews of this kind, each with the mode that caps what a finding leads to.
func (k kind) paths() map[string]validators.Mode {
	paths := map[string]validators.Mode{k.path: ""}
	if k.modeInPath {
		for _, mode := range validators.AllModes {
			paths[k.path+"/"+string(mode)] = mode
		}
	}
	return paths
}

// subject is an object under review.
type subject interface {
	object() metav1.Object
	// mode is the mode that the object itself sets for its namespace; empty if it sets none. unknown is a value that is not a mode.
	mode() (mode validators.Mode, unknown string)
	// passes returns why the object need not be judged; empty if it must be.
	passes() string
	// judge applies the enabled rules.
	judge(facts validators.Facts, config Config, enabled func(rule string) bool) []validators.Finding
}

// Reasons why an object is admitted without being judged: values of the metric's label.
const (
	passOperation  = "operation"  // not one that is judged
	passExempt     = "exempt"     // by the configuration
	passKind       = "kind"       // not the kind of this path
	passDeleting   = "deleting"   // the object is being deleted
	passUnchanged  = "unchanged"  // nothing changed that rules look at
	passMode       = "mode"       // the namespace's label switches everything off
	passBusy       = "busy"       // other reviews occupy all memory
	passUnreadable = "unreadable" // the object can't be decoded
	passTooLarge   = "too_large"  // the review is larger than maxBody
	passPanic      = "panic"      // a bug of ours
)
