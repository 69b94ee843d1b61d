package forecast

import (
	"fmt"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// walker follows a Workflow from its entrypoint and exit handlers to the templates that become
// pods.
type walker struct {
	budget     *budget
	wf         *wfv1.Workflow
	facts      Facts
	controller ControllerConfig
	isKFPv2    bool
	kfpRun     kfp.Run // what the drivers seen so far put out
	out        Forecast

	// What the Workflow holds for all of its templates.
	globals       tagValues                // values of the workflow.* tags
	volumes       map[string]corev1.Volume // volumes and claims, by name
	volumePaths   map[string]*field.Path   // where the volumes are declared, by name
	repository    *ArtifactRepository
	location      *wfv1.ArtifactLocation // location of repository, set on first use
	workflowScope *scope                 // the Workflow's own templates

	// Lookups, each made once.
	referencedScopes map[string]referencedScope // by kind and name of the WorkflowTemplate
	tokenLookups     map[string]tokenLookup     // by ServiceAccount

	// Progress of the walk.
	visitCount   int
	visitedBytes int
	limitHit     bool
	visited      map[string]*visitedTemplate // by template, inputs, and tolerated errors
	inProgress   []*visitedTemplate          // the templates being visited, outermost first
	podIndex     map[string]int              // index in out.Pods, by template and inputs
	seenGaps     map[Gap]bool
	hasStepHooks bool // at least one step has a hook

	// Pods that delete artifacts, by schedule and permissions; see artifact_gc.go.
	gcPods    map[string]*gcPod
	gcPodKeys []string // in the order in which the walk found them

	// Only in a second walk; see suspend.go and call_order.go.
	foundWait bool            // the first walk has come to a template that waits for a person
	waits     map[string]bool // templates that lead to one, by scope and name
	order     *callOrder

	// What the Workflow may create; see created_objects.go and programs.go.
	executedTemplates []executedTemplate
	manifestBytes     int
	createsUnknown    bool // out.Created holds the unknown object
}

// visitedTemplate remembers which pods a template leads to. Visiting it again with the same inputs
// leads to the same pods.
type visitedTemplate struct {
	certainty Certainty
	depth     int // number of named steps that lead to the template
	calls     int // number of calls that lead to the template
	pods      []reachedPod
}

// reachedPod is a pod and the steps that lead to it from a visited template.
type reachedPod struct {
	pod              int // index in out.Pods
	certainty        Certainty
	errorTolerated   bool
	failureTolerated bool
	steps            []string
	calls            []callSite
}

// maxReachedPods limits the paths remembered for one template. In a chain of templates that each
// call the next one twice, the number of paths doubles with every template.
const maxReachedPods = 64

func newWalker(b *budget, wf *wfv1.Workflow, workflowScope *scope, facts Facts, controller ControllerConfig) *walker {
	w := &walker{
		budget: b, wf: wf, facts: facts, controller: controller, workflowScope: workflowScope,
		isKFPv2:          kfp.IsV2(wf),
		referencedScopes: map[string]referencedScope{}, tokenLookups: map[string]tokenLookup{},
		visited: map[string]*visitedTemplate{}, podIndex: map[string]int{}, seenGaps: map[Gap]bool{},
		gcPods: map[string]*gcPod{},
	}
	w.out.Pods = make([]Pod, 0, len(workflowScope.templates)) // most templates become a pod
	w.globals = w.globalValues()
	w.indexVolumes()
	var err error
	if w.repository, err = w.artifactRepository(); err != nil {
		w.addNote("", "the artifact repository is not known: "+err.Error())
	}
	if w.repository == nil {
		w.repository = &ArtifactRepository{}
	}
	return w
}

// walk visits the entrypoint, the exit handler, and the hooks, in the controller's order.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go operate.
func (w *walker) walk() {
	spec := &w.wf.Spec
	for _, claim := range spec.VolumeClaimTemplates {
		w.recordCreated([]Created{{Kind: "PersistentVolumeClaim", Name: w.wf.Name + "-" + claim.Name, pod: noPod}})
	}
	start := position{certainty: Certain, scope: w.workflowScope}
	suspended := spec.Suspend != nil && *spec.Suspend // until somebody resumes the Workflow
	if isResumed(w.wf) || w.out.ControllerConfigError != nil || suspended {
		start.certainty = Possible
	}
	block := w.newBlock(inSequence)
	if spec.Entrypoint != "" {
		w.visitByName(spec.Entrypoint, spec.Arguments, start.inCall(block, 0).descend(spec.Entrypoint, Certain))
	}
	// The exit handler runs no matter how the run ends.
	if hook := spec.GetExitHook(spec.Arguments); hook != nil {
		exitPos := start.inCall(block, 1)
		if w.waits != nil && w.waitsForPerson(w.workflowScope, spec.Entrypoint, nil, nil) {
			exitPos = exitPos.capCertainty(Possible)
		}
		w.visitHook("onExit", hook, exitPos)
	}
	w.visitLifecycleHooks(spec.Hooks, start)
	w.addGCPods()
	if w.hasStepHooks {
		// If a step's hook errs, Argo may lose track of how the steps ended.
		for i := range w.out.Pods {
			w.out.Pods[i].Origin.capEndsRun(Possible)
		}
		for i := range w.out.InvalidConditions {
			w.out.InvalidConditions[i].Origin.capEndsRun(Possible)
		}
		for i := range w.out.HeaderSecrets {
			w.out.HeaderSecrets[i].Origin.capEndsRun(Possible)
		}
	}
}

// visitByName visits a template of the current scope.
func (w *walker) visitByName(name string, args wfv1.Arguments, pos position) {
	t, ok := pos.scope.lookup(name)
	switch {
	case ok:
		w.visit(t, args, pos)
	case HasTag(name):
		w.addGap(pos.steps, "the template's name "+name+" is known only at run time")
	default:
		w.addGap(pos.steps, "there is no template "+name+pos.scope.errorSuffix())
	}
}

// visit prepares a template with its caller's arguments and visits it.
func (w *walker) visit(t scopedTemplate, args wfv1.Arguments, pos position) {
	if w.overLimit(pos) {
		return
	}
	t, err := w.prepare(t, args)
	if err != nil {
		w.addUnreadable(pos, err)
		return
	}
	w.visitPrepared(t, pos)
}

// visitPrepared follows a prepared template to its pods.
func (w *walker) visitPrepared(t scopedTemplate, pos position) {
	w.visitedBytes += t.Size()
	if t.usesConfigMap {
		pos = pos.capCertainty(Possible) // the ConfigMap may change before the step runs
	}
	pos.errorTolerated = pos.errorTolerated || pos.continuesOnError && (!t.IsPodType() || t.RetryStrategy != nil)
	pos.continuesOnError = false
	if t.Memoize != nil {
		pos = pos.capCertainty(Possible) // a cache hit skips the pod
	}
	if pos.inExitHandler {
		t.key += "\x00exit"
	}
	if t.IsPodType() {
		w.visitPod(t, pos)
		return
	}
	// A template visited before with the same inputs leads to the same pods. Visit it again only if
	// it is now more certain to run. This also ends recursion.
	key := fmt.Sprint(t.key, "\x00", pos.errorTolerated, pos.failureTolerated)
	if before, ok := w.visited[key]; ok && before.certainty >= pos.certainty {
		for _, r := range before.pods {
			reached := pos.withSteps(r.steps).capCertainty(r.certainty)
			reached.errorTolerated = pos.errorTolerated || r.errorTolerated
			reached.failureTolerated = pos.failureTolerated || r.failureTolerated
			reached.calls = slices.Concat(pos.calls, r.calls)
			w.recordPath(r.pod, reached)
		}
		return
	}
	visited := &visitedTemplate{certainty: pos.certainty, depth: len(pos.steps), calls: len(pos.calls)}
	w.visited[key] = visited
	w.inProgress = append(w.inProgress, visited)
	defer func() { w.inProgress = w.inProgress[:len(w.inProgress)-1] }()
	switch {
	case t.Steps != nil:
		w.visitSteps(t, pos)
	case t.DAG != nil:
		w.visitDAG(t, pos)
	case t.HTTP != nil, t.Plugin != nil:
		w.recordProgram(t.Template, noPod)
		w.addToAgentPod(t, pos)
	case t.Suspend != nil:
		if isWait(t.Template) {
			w.foundWait = true
			w.recordPath(people, pos)
		}
	default:
		w.addGap(pos.steps, "the template's type is not known")
	}
}

// visitPod adds a template's pod to the forecast. If the pod is there already, it only adds the
// step.
func (w *walker) visitPod(t scopedTemplate, pos position) {
	if i, ok := w.podIndex[t.key]; ok {
		w.recordPath(i, pos)
		return
	}
	pod, err := w.assemblePod(t, pos.inExitHandler)
	if err != nil {
		w.addUnreadable(pos, err)
		return
	}
	pod.Origin = Origin{Template: t.Name, Path: t.path}
	w.addPod(t.key, pod, pos)
	if t.Resource != nil {
		w.recordResourceTemplate(t.Resource, w.podIndex[t.key])
	} else {
		w.recordProgram(t.Template, w.podIndex[t.key])
	}
	w.recordArtifactGC(t.Template)
}

// addPod adds a pod that the walk reaches for the first time.
func (w *walker) addPod(key string, pod Pod, pos position) {
	w.podIndex[key] = len(w.out.Pods)
	w.out.Pods = append(w.out.Pods, pod)
	w.recordPath(w.podIndex[key], pos)
}

// recordPath records that pos leads to the pod with index i.
func (w *walker) recordPath(i int, pos position) {
	if i != people {
		w.out.Pods[i].Origin.addStep(pos)
	}
	w.recordOccurrence(i, pos)
	for _, visited := range w.inProgress {
		if len(visited.pods) < maxReachedPods {
			r := reachedPod{i, pos.certainty, pos.errorTolerated, pos.failureTolerated, pos.steps[visited.depth:], nil}
			if w.order != nil {
				r.calls = pos.calls[visited.calls:]
			}
			visited.pods = append(visited.pods, r)
		} else if w.order != nil {
			w.order.incomplete = true
		}
	}
}
