package webhook

import (
	"fmt"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// workflows reviews Argo Workflows on CREATE only: the CRD has no status subresource, so that the controller's every
// progress is an UPDATE, and one that were denied would strand the run.
var workflows = kind{
	group:       "argoproj.io",
	name:        "Workflow",
	path:        "/validate-workflow",
	operations:  []admissionv1.Operation{admissionv1.Create},
	byNamespace: true,
	decode: func(req *admissionv1.AdmissionRequest) (subject, error) {
		wf, err := forecast.Decode[wfv1.Workflow](req.Object.Raw)
		if err != nil {
			return nil, err
		}
		return newWorkflowCreation(req, wf)
	},
	quickly: func(body []byte) (*admissionv1.AdmissionRequest, subject, error) {
		req, wf, _, err := inOnePass[wfv1.Workflow](body)
		if err != nil {
			return nil, nil, err
		}
		creation, err := newWorkflowCreation(req, wf)
		return req, creation, err
	},
}

func newWorkflowCreation(req *admissionv1.AdmissionRequest, wf *wfv1.Workflow) (subject, error) {
	if len(validation.IsDNS1123Label(req.Namespace)) > 0 {
		return nil, fmt.Errorf("nothing is in a namespace called '%.100s'", req.Namespace)
	}
	// Lookups never leave the request's namespace, whatever the object says.
	wf.Namespace = req.Namespace
	return workflowCreation{wf}, nil
}

type workflowCreation struct{ workflow *wfv1.Workflow }

func (c workflowCreation) object() metav1.Object { return c.workflow }

// mode: authors have no say in that of their namespace.
func (workflowCreation) mode() (validators.Mode, string) { return "", "" }

func (c workflowCreation) pass() string {
	if c.workflow.DeletionTimestamp != nil {
		return passDeleting
	}
	return ""
}

func (c workflowCreation) judge(facts validators.Facts, config Config, on func(string) bool) []validators.Finding {
	return validators.JudgeWorkflow(c.workflow, facts, config.KFP, on)
}
