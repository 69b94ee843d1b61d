package forecast

import (
	"slices"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// Certainty is how certain a prediction is. The zero value is Unknown: nothing may be concluded
// from it.
type Certainty int

const (
	// Unknown means that the outcome depends on something that exists only at run time.
	Unknown Certainty = iota
	// Possible means that the outcome depends on a condition that can't be decided at admission.
	Possible
	// Certain means that it happens whenever the run gets there, and that the run does get there
	// unless something fails first.
	Certain
)

// String returns the lower-case name of the Certainty, as used in messages and metric labels.
func (c Certainty) String() string {
	return [...]string{Unknown: "unknown", Possible: "possible", Certain: "certain"}[c]
}

// Forecast is everything that a Workflow would lead to.
type Forecast struct {
	// Pods has one Pod for each reachable template and distinct set of inputs, in the order in
	// which the Workflow reaches them.
	Pods []Pod
	// HeaderSecrets are the Secrets that Argo's agent reads for the headers of HTTP requests. They
	// appear in no pod's spec.
	HeaderSecrets []HeaderSecret
	// Created are the objects that the Workflow creates, which its later steps may use.
	Created []Created
	// InvalidConditions are the conditions that can't be evaluated, at most 100. Their steps end in
	// error.
	InvalidConditions []InvalidCondition
	// Gaps are the places that the forecast could not follow. There may be more pods than Pods, but
	// those in Pods are still right.
	Gaps []Gap
	// ControllerConfigError is set if the lookup of the controller's configuration failed. The
	// configuration may change any pod, so that no pod is Certain.
	ControllerConfigError error

	// programs are what the steps execute, and order says which pods may run before which. Both are
	// worked out when a rule misses an object.
	programs func() programs
	order    func() *callOrder
	hasWait  bool // a step waits until a person resumes the Workflow
}

// Options change how a Workflow is forecast. The zero value suits most callers.
type Options struct {
	// CacheMayHit makes a KFP v2 step Possible if KFP's cache may already have its result. By
	// default, such a step counts as one that runs.
	CacheMayHit bool `json:"cacheMayHit,omitempty"`
}

// Workflow forecasts the pods of wf. It never fails: places that can't be predicted are in
// Forecast.Gaps. It does not modify wf. A Workflow that the controller would not run has an empty
// Forecast.
func Workflow(wf *wfv1.Workflow, facts Facts, options Options) Forecast {
	if neverRuns(wf) {
		return Forecast{}
	}
	var gaps []Gap
	controller, err := facts.ControllerConfig(wf.Labels[InstanceLabel])
	if err != nil {
		gaps = append(gaps, Gap{Reason: err.Error()})
	}
	controllerError := err
	b := &budget{maxWork}
	workflowScope, merged, err := effectiveWorkflow(b, wf, facts, controller)
	if err != nil {
		gaps = append(gaps, Gap{Reason: err.Error()})
	}
	walk := func(b *budget, setUp func(*walker)) *walker {
		w := newWalker(b, merged, workflowScope, facts, controller)
		w.kfpRun.CacheMayHit = options.CacheMayHit
		w.out.Gaps, w.out.ControllerConfigError = slices.Concat(gaps, w.out.Gaps), controllerError
		if err != nil {
			w.recordUnknownCreated()
		}
		setUp(w)
		w.walk()
		return w
	}
	w := walk(b, func(*walker) {})
	if w.foundWait {
		referenced := w.referencedScopes
		w = walk(&budget{maxWork}, func(w *walker) { w.referencedScopes, w.waits = referenced, map[string]bool{} })
	}
	w.out.hasWait = w.foundWait
	w.out.programs = sync.OnceValue(w.programs)
	w.out.order = sync.OnceValue(func() *callOrder {
		order := &callOrder{occurrences: map[int][]occurrence{}}
		walk(&budget{maxWork}, func(w *walker) { w.order = order })
		return order
	})
	return w.out
}

// InstanceLabel is the label on a Workflow that holds the instance ID of the controller that runs
// it.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/common.go LabelKeyControllerInstanceID.
const InstanceLabel = "workflows.argoproj.io/controller-instanceid"

// neverRuns reports whether the controller would create no pods for wf, because it is finished or
// shut down.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/controller.go (completed label),
// workflow/controller/workflowpod.go createWorkflowPod (shutdown).
func neverRuns(wf *wfv1.Workflow) bool {
	return wf.Labels["workflows.argoproj.io/completed"] == "true" || wf.Status.Fulfilled() || wf.Spec.Shutdown != ""
}

// isResumed reports whether wf arrives in the middle of a run, as a retry or a resubmission with
// memoized nodes. Some of its steps are done, but the templates don't show which.
func isResumed(wf *wfv1.Workflow) bool {
	s := &wf.Status
	return s.Phase != "" || len(s.Nodes) > 0 || s.CompressedNodes != "" || s.OffloadNodeStatusVersion != ""
}
