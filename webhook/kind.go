package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// kind is a kind of object that the webhook reviews.
type kind struct {
	group, name string
	// path is the URL path for reviews of this kind in the ValidatingWebhookConfiguration.
	path string
	// operations are those that are judged; all others are admitted.
	operations []admissionv1.Operation
	// modeInPath says that the path may be followed by a mode: the ValidatingWebhookConfiguration has a webhook for each mode that the
	// namespace's label can have.
	modeInPath bool
	// decode decodes the object of a request, and the old object on update.
	decode func(*admissionv1.AdmissionRequest) (subject, error)
	// decodeFast decodes a whole review in one pass. If it fails, decode is called and either succeeds or returns the error to report.
	decodeFast func(body []byte) (*admissionv1.AdmissionRequest, subject, error)
}

// paths returns the URL paths for reviews of this kind, each with the mode that caps all others; empty for no cap.
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
	// passReason returns the reason for admitting the object without judging it; empty if it must be judged.
	passReason() string
	// judge applies the enabled rules.
	judge(facts validators.Facts, config Config, enabled func(rule string) bool) []validators.Finding
}

// Reasons for admitting an object without judging it. They are the values of the label passed.
const (
	passOperation  = "operation"  // rules don't judge this operation
	passExempt     = "exempt"     // the configuration exempts the request
	passKind       = "kind"       // not the kind of this path
	passDeleting   = "deleting"   // the object is being deleted
	passUnchanged  = "unchanged"  // the update changes nothing that rules look at
	passMode       = "mode"       // the namespace's label switches everything off
	passBusy       = "busy"       // other reviews occupy the memory
	passUnreadable = "unreadable" // the object can't be decoded
	passTooLarge   = "too_large"  // the review is larger than maxBody
	passPanic      = "panic"      // a bug of ours
)
