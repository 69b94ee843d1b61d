package webhook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// workflows are reviewed on CREATE only. The CRD has no status subresource: the controller reports all progress by UPDATE, and a denied
// one would strand the run.
var workflows = kind{
	group:      "argoproj.io",
	name:       "Workflow",
	path:       "/validate-workflow",
	operations: []admissionv1.Operation{admissionv1.Create},
	modeInPath: true,
	decode: func(req *admissionv1.AdmissionRequest) (subject, error) {
		wf, err := forecast.Decode[wfv1.Workflow](req.Object.Raw)
		if err != nil {
			return nil, err
		}
		return newWorkflowCreation(req, wf)
	},
	decodeFast: func(body []byte) (*admissionv1.AdmissionRequest, subject, error) {
		req, wf, _, err := decodeFast[wfv1.Workflow](body)
		if err != nil {
			return nil, nil, err
		}
		creation, err := newWorkflowCreation(req, wf)
		creation.ascii = isASCII(body)
		return req, creation, err
	},
}

// newWorkflowCreation returns the creation of a Workflow in the request's namespace.
func newWorkflowCreation(req *admissionv1.AdmissionRequest, wf *wfv1.Workflow) (workflowCreation, error) {
	if len(validation.IsDNS1123Label(req.Namespace)) > 0 {
		return workflowCreation{}, fmt.Errorf("no namespace can have the name '%.100s'", req.Namespace)
	}
	// Lookups must not leave the request's namespace, whatever namespace the object claims.
	wf.Namespace = req.Namespace
	return workflowCreation{workflow: wf}, nil
}

// workflowCreation is a Workflow under review.
type workflowCreation struct {
	workflow *wfv1.Workflow
	// ascii says that the Workflow is known to have only ASCII characters, as nearly all have.
	ascii bool
}

func (c workflowCreation) object() metav1.Object { return c.workflow }

// mode returns none: only the namespace's label counts, not the author's.
func (workflowCreation) mode() (validators.Mode, string) { return "", "" }

func (c workflowCreation) passReason() string {
	if c.workflow.DeletionTimestamp != nil {
		return passDeleting
	}
	return ""
}

func (c workflowCreation) judge(facts validators.Facts, config Config, enabled func(string) bool) []validators.Finding {
	if c.ascii {
		all := enabled // every database can store ASCII
		enabled = func(rule string) bool { return rule != validators.WorkflowTextCharset && all(rule) }
	}
	return validators.JudgeWorkflow(c.workflow, facts, config.KFP, enabled)
}

// isASCII reports whether JSON has only ASCII characters, escaped or not.
func isASCII(raw []byte) bool {
	rest := raw
	for ; len(rest) >= 8; rest = rest[8:] {
		if binary.LittleEndian.Uint64(rest)&0x8080808080808080 != 0 {
			return false
		}
	}
	if slices.ContainsFunc(rest, func(c byte) bool { return c >= 0x80 }) {
		return false
	}
	for rest = raw; ; {
		_, after, found := bytes.Cut(rest, []byte(`\u`))
		if !found {
			return true
		}
		if len(after) < 4 || after[0] != '0' || after[1] != '0' || after[2] > '7' {
			return false
		}
		rest = after
	}
}
