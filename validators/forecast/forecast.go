package forecast

import (
	"errors"
	"slices"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// Certainty says how sure a statement about the future is. The zero value is Unknown: nothing may be concluded from it.
type Certainty int

const (
	// Unknown: it depends on something that exists only at run time.
	Unknown Certainty = iota
	// Possible: it stands behind a condition that can't be decided at admission.
	Possible
	// Certain: it happens whenever the run gets that far, and as long as nothing fails before, the run gets that far.
	Certain
)

// String is the word for a Certainty, as messages and metric labels use it.
func (c Certainty) String() string {
	return [...]string{Unknown: "unknown", Possible: "possible", Certain: "certain"}[c]
}

// Forecast is everything that a Workflow would lead to.
type Forecast struct {
	// Pods, one for each reachable pod template and distinct set of resolved inputs, in the order in which the
	// Workflow reaches them.
	Pods []Pod
	// HeaderSecrets are the Secrets that Argo's agent reads for the headers of HTTP templates, outside of any pod's spec.
	HeaderSecrets []HeaderSecret
	// Created are the objects that the Workflow's own resource templates make, and later steps may use.
	Created []Created
	// InvalidConditions are those that can't be evaluated, so that their steps end in error. No more than 100 are listed.
	InvalidConditions []InvalidCondition
	// Gaps are the places that could not be followed. Pods may be missing there; none of Pods is wrong because of them.
	Gaps []Gap
	// ControllerConfigError is set if the controller's configuration could not be found out. It may change any pod, so that
	// none is Certain. A configuration that is not there is none.
	ControllerConfigError error

	programs func() programs
}

// Pod is a pod that Argo would create.
type Pod struct {
	// Spec as the controller would submit it, before the API server's defaulting and admission.
	Spec corev1.PodSpec
	// Origin says where the pod comes from.
	Origin Origin
	// Unknown says why anything in Spec may be different; empty if nothing may. A podSpecPatch could not be applied because
	// part of it exists only at run time, or the template has something that only newer versions of Argo know.
	Unknown string
	// ArgoContainers are the names of the containers that Argo adds. Their resources are the controller's to set, not the author's.
	ArgoContainers []string
	// DeadlineUnknown says that the pod has a deadline which exists only at run time, and is not in Spec.
	DeadlineUnknown bool
	// MissingServiceAccount is a ServiceAccount that is not there. Argo's controller makes no pod before it has seen the account, whose
	// token Argo's own containers are to have.
	MissingServiceAccount string
	// RuntimeResources are resources that are set to an amount which exists only at run time. They are not in Spec.
	RuntimeResources []RuntimeResource

	sources podSources
}

// RuntimeResource is a resource of a container whose amount exists only at run time. Without a container it is the pod's.
type RuntimeResource = kfp.RuntimeResource

// Origin says which part of a Workflow a pod comes from.
type Origin struct {
	// Template is the template's name; empty for an inline template.
	Template string
	// Steps are the paths of step names that run the template, in the Workflow's order and no more than 500. The
	// entrypoint's own template stands under its own name.
	Steps []string
	// Certainty says whether at least one of Steps surely runs.
	Certainty Certainty
	// EndsRun says whether at least one of Steps surely runs and would, in error, surely take the run with it. No continueOn and
	// no depends lets the run go on without it.
	EndsRun Certainty
	// Path is the place of the template in the Workflow, such as spec.templates[2].
	Path *field.Path
}

// HeaderSecret is a key of a Secret that becomes a header of a request. Whether it is marked optional does not matter.
// Source: argoproj/argo-workflows v3.7.3 workflow/executor/agent.go, workflow/util GetSecrets.
type HeaderSecret struct {
	Secret, Key string
	Origin      Origin
}

// Options are what may be decided about a forecast. The zero value suits most.
type Options struct {
	// CacheMayHit makes a step of KFP v2 Possible where KFP's cache may have its result already. Otherwise such a step
	// counts as one that runs.
	CacheMayHit bool `json:"cacheMayHit,omitempty"`
}

// Workflow forecasts the pods of wf. It never fails: what can't be worked out is in Forecast.Gaps. wf is not changed.
func Workflow(wf *wfv1.Workflow, facts Facts, options Options) Forecast {
	if neverRuns(wf) {
		return Forecast{}
	}
	var gaps []Gap
	controller, err := facts.ControllerConfig(wf.Labels[InstanceLabel])
	if err != nil {
		gaps = append(gaps, Gap{Reason: err.Error()})
	}
	var controllerError error
	if err != nil && !errors.Is(err, ErrConfigNotFound) {
		controllerError = err
	}
	b := &budget{maxWork}
	workflowScope, merged, err := effectiveWorkflow(b, wf, facts, controller)
	if err != nil {
		gaps = append(gaps, Gap{Reason: err.Error()})
	}
	w := newWalker(b, merged, workflowScope, facts, controller)
	w.kfpRun.CacheMayHit = options.CacheMayHit
	w.out.Gaps, w.out.ControllerConfigError = append(gaps, w.out.Gaps...), controllerError
	if err != nil {
		w.recordUnknownCreated()
	}
	w.walk()
	w.out.programs = sync.OnceValue(w.programs)
	return w.out
}

// InstanceLabel says which of several controllers runs a Workflow.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/common.go LabelKeyControllerInstanceID.
const InstanceLabel = "workflows.argoproj.io/controller-instanceid"

// neverRuns reports that the controller would leave wf alone: it is finished, or told to shut down.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/controller.go (completed label),
// workflow/controller/workflowpod.go createWorkflowPod (shutdown).
func neverRuns(wf *wfv1.Workflow) bool {
	return wf.Labels["workflows.argoproj.io/completed"] == "true" || wf.Status.Fulfilled() || wf.Spec.Shutdown != ""
}

// isResumed reports that wf arrives in the middle of a run: a retry, or a resubmission with memoized nodes. Some of its
// steps are done, and which ones can't be told from the templates.
func isResumed(wf *wfv1.Workflow) bool {
	s := &wf.Status
	return s.Phase != "" || len(s.Nodes) > 0 || s.CompressedNodes != "" || s.OffloadNodeStatusVersion != ""
}

// maxSteps bounds the steps of a pod.
const maxSteps = 500

// addStep records one more step that leads here.
func (o *Origin) addStep(pos position) {
	if step := pos.stepPath(); len(o.Steps) < maxSteps && !slices.Contains(o.Steps, step) {
		o.Steps = append(o.Steps, step)
	}
	o.Certainty = max(o.Certainty, pos.certainty)
	o.EndsRun = max(o.EndsRun, pos.endsRun())
}
