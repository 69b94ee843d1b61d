package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// profiles are reviewed on CREATE and UPDATE. The Profile controller updates a Profile at every reconcile and to remove its finalizer, so
// updates are admitted if they don't change the quota or if the Profile is being deleted.
var profiles = kind{
	group:      "kubeflow.org",
	name:       "Profile",
	path:       "/validate-profile",
	operations: []admissionv1.Operation{admissionv1.Create, admissionv1.Update},
	decode: func(req *admissionv1.AdmissionRequest) (subject, error) {
		change := profileChange{New: &validators.Profile{}}
		if err := kjson.Unmarshal(req.Object.Raw, change.New); err != nil {
			return nil, err
		}
		if len(req.OldObject.Raw) > 0 && req.Operation == admissionv1.Update {
			change.Old = &validators.Profile{}
			if err := kjson.Unmarshal(req.OldObject.Raw, change.Old); err != nil {
				return nil, err
			}
		}
		return change, nil
	},
	decodeFast: func(body []byte) (*admissionv1.AdmissionRequest, subject, error) {
		req, object, old, err := decodeFast[validators.Profile](body)
		if err != nil {
			return nil, nil, err
		}
		if req.Operation != admissionv1.Update {
			old = nil
		}
		return req, profileChange{New: object, Old: old}, nil
	},
}

// profileChange is a Profile under review.
type profileChange validators.ProfileChange

func (c profileChange) object() metav1.Object { return c.New }

// mode is read from the Profile's own label, because its namespace may not exist yet.
func (c profileChange) mode() (validators.Mode, string) { return validators.LabelMode(c.New.Labels) }

func (c profileChange) passReason() string {
	switch {
	case c.New.DeletionTimestamp != nil, c.Old != nil && c.Old.DeletionTimestamp != nil:
		return passDeleting
	case c.Old != nil && equality.Semantic.DeepEqual(c.Old.Spec.ResourceQuotaSpec, c.New.Spec.ResourceQuotaSpec):
		return passUnchanged
	}
	return ""
}

func (c profileChange) judge(facts validators.Facts, _ Config, enabled func(string) bool) []validators.Finding {
	return validators.JudgeProfile(validators.ProfileChange(c), facts, enabled)
}
