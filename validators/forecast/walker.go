package forecast

import (
	"fmt"

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

	// What the Workflow may create; see created_objects.go and programs.go.
	executedTemplates []*wfv1.Template
	manifestBytes     int
	createsUnknown    bool // out.Created holds the unknown object
}

// visitedTemplate remembers which pods a template leads to. Visiting it again with the same inputs
// leads to the same pods.
type visitedTemplate struct {
	certainty Certainty
	depth     int // number of named steps that lead to the template
	pods      []reachedPod
}

// reachedPod is a pod and the steps that lead to it from a visited template.
type reachedPod struct {
	pod            int // index in out.Pods
	certainty      Certainty
	errorTolerated bool
	steps          []string
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
		w.recordCreated([]Created{{Kind: "PersistentVolumeClaim", Name: w.wf.Name + "-" + claim.Name}})
	}
	start := position{certainty: Certain, scope: w.workflowScope}
	if isResumed(w.wf) || w.out.ControllerConfigError != nil {
		start.certainty = Possible
	}
	if spec.Entrypoint != "" {
		w.visitByName(spec.Entrypoint, spec.Arguments, start.descend(spec.Entrypoint, Certain))
	}
	// The exit handler runs no matter how the run ends.
	if hook := spec.GetExitHook(spec.Arguments); hook != nil {
		w.visitHook("onExit", hook, start)
	}
	w.visitLifecycleHooks(spec.Hooks, start)
	w.addGCPods()
	if w.hasStepHooks {
		// If a step's hook errs, Argo may lose track of how the steps ended.
		for i := range w.out.Pods {
			w.out.Pods[i].Origin.EndsRun = min(w.out.Pods[i].Origin.EndsRun, Possible)
		}
		for i := range w.out.InvalidConditions {
			w.out.InvalidConditions[i].Origin.EndsRun = min(w.out.InvalidConditions[i].Origin.EndsRun, Possible)
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
			w.recordPath(r.pod, reached)
		}
		return
	}
	visited := &visitedTemplate{certainty: pos.certainty, depth: len(pos.steps)}
	w.visited[key] = visited
	w.inProgress = append(w.inProgress, visited)
	defer func() { w.inProgress = w.inProgress[:len(w.inProgress)-1] }()
	switch {
	case t.Steps != nil:
		w.visitSteps(t, pos)
	case t.DAG != nil:
		w.visitDAG(t, pos)
	case t.HTTP != nil, t.Plugin != nil:
		w.recordProgram(t.Template)
		w.addToAgentPod(t, pos)
	case t.Suspend == nil:
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
	if t.Resource != nil {
		w.recordResourceTemplate(t.Resource)
	} else {
		w.recordProgram(t.Template)
	}
	pod, err := w.assemblePod(t, pos.inExitHandler)
	if err != nil {
		w.addUnreadable(pos, err)
		return
	}
	pod.Origin = Origin{Template: t.Name, Path: t.path}
	w.addPod(t.key, pod, pos)
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
	w.out.Pods[i].Origin.addStep(pos)
	for _, visited := range w.inProgress {
		if len(visited.pods) < maxReachedPods {
			steps := pos.steps[visited.depth:]
			visited.pods = append(visited.pods, reachedPod{i, pos.certainty, pos.errorTolerated, steps})
		}
	}
}
