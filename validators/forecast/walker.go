package forecast

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// Bounds of a forecast. A Workflow beyond them gets a Gap, so that no Workflow can cost more than this.
const (
	maxVisits = 20_000 // a step and its template are one each
	maxDepth  = 100
	// maxBytes bounds what the visited templates add up to.
	maxBytes = 32 << 20
	// maxGaps bounds what is said of places that can't be followed.
	maxGaps = 100
)

// walker follows a Workflow from its entrypoint and exit handlers to the templates that become pods.
type walker struct {
	budget           *budget
	wf               *wfv1.Workflow
	facts            Facts
	controller       ControllerConfig
	repository       *ArtifactRepository
	location         *wfv1.ArtifactLocation // of the repository; made when it is first needed
	globals          tagValues
	workflowScope    *scope                     // the Workflow's own templates
	referencedScopes map[string]referencedScope // those of the WorkflowTemplates that it refers to, by kind and name
	out              Forecast

	visitCount   int
	visitedBytes int
	limitHit     bool                        // a bound was reached
	visited      map[string]*visitedTemplate // by template, inputs and whether errors are tolerated
	inProgress   []*visitedTemplate          // those that are being walked, from the outside in
	podIndex     map[string]int              // template and inputs -> index in out.Pods
	seenGaps     map[Gap]bool
	tokenLookups map[string]tokenLookup // by ServiceAccount

	gcPods    map[string]*gcPod // by the time at which they run, and their permissions
	gcPodKeys []string          // in the order in which the Workflow leads to them

	executedTemplates []*wfv1.Template // those whose programs may make something
	manifestBytes     int
	volumes           map[string]corev1.Volume // the Workflow's volumes and claims, by name
	volumePaths       map[string]*field.Path   // and where they are written

	createsUnknown bool // out.Created has the unknown object
	hasStepHooks   bool // a step has a hook

	isKFPv2 bool    // a run of KFP v2
	kfpRun  kfp.Run // what its drivers have put out
}

// visitedTemplate is a template that was walked with some inputs. With the same inputs it leads to the same pods again.
type visitedTemplate struct {
	certainty Certainty
	depth     int // of the steps that lead to it
	pods      []reachedPod
}

// reachedPod is a pod and the steps inside of the walked template that lead to it.
type reachedPod struct {
	pod            int // index in out.Pods
	certainty      Certainty
	errorTolerated bool
	steps          []string
}

// maxReachedPods bounds what is remembered of a template: a chain of templates each of which calls the next one twice leads to
// the same pod by more ways than anybody would read.
const maxReachedPods = 64

// scopedTemplate is a template and where it is written.
type scopedTemplate struct {
	*wfv1.Template
	// original is the template as it stands at path, without defaults and with its tags.
	original *wfv1.Template
	path     *field.Path
	scope    *scope
	// inputs are the tags of its inputs that have a value; fromElsewhere says that one came from a ConfigMap.
	inputs        tagValues
	usesConfigMap bool
	// key stands for the place and the resolved inputs: equal keys, equal pods.
	key string
}

func newWalker(b *budget, wf *wfv1.Workflow, workflowScope *scope, facts Facts, controller ControllerConfig) *walker {
	w := &walker{
		budget: b, wf: wf, facts: facts, controller: controller, workflowScope: workflowScope,
		referencedScopes: map[string]referencedScope{}, gcPods: map[string]*gcPod{}, visited: map[string]*visitedTemplate{}, podIndex: map[string]int{}, seenGaps: map[Gap]bool{}, tokenLookups: map[string]tokenLookup{},
		isKFPv2: kfp.IsV2(wf),
	}
	w.out.Pods = make([]Pod, 0, len(workflowScope.templates)) // most become one
	w.globals = w.globalValues()
	w.indexVolumes()
	var err error
	if w.repository, err = w.artifactRepository(); err != nil {
		w.addNote("", "where artifacts and logs go is not known: "+err.Error())
	}
	if w.repository == nil {
		w.repository = &ArtifactRepository{}
	}
	return w
}

// walk starts the walk where the controller starts.
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
	// The exit handler runs however the run ends, also when a step before has failed.
	if hook := spec.GetExitHook(spec.Arguments); hook != nil {
		w.visitHook("onExit", hook, start)
	}
	w.visitLifecycleHooks(spec.Hooks, start)
	w.addGCPods()
	if w.hasStepHooks { // where the hook of a step errs, Argo may lose sight of how the steps end
		for i := range w.out.Pods {
			w.out.Pods[i].Origin.EndsRun = min(w.out.Pods[i].Origin.EndsRun, Possible)
		}
		for i := range w.out.InvalidConditions {
			w.out.InvalidConditions[i].Origin.EndsRun = min(w.out.InvalidConditions[i].Origin.EndsRun, Possible)
		}
	}
}

// visitByName visits a template of the scope that the walk is in.
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

// overLimit counts one more step and reports whether the walk has reached one of its bounds.
func (w *walker) overLimit(pos position) bool {
	w.visitCount++
	if w.budget.left == 0 {
		if !w.limitHit {
			w.addGap(nil, errBudgetSpent.Error())
		}
		w.limitHit = true
	}
	if w.visitCount <= maxVisits && w.visitedBytes <= maxBytes && pos.depth <= maxDepth {
		return w.limitHit
	}
	if !w.limitHit {
		w.addGap(pos.steps, fmt.Sprintf("more than %d steps and templates, steps nested more than %d deep, or templates of more than %d MiB in all: not everything was looked at",
			maxVisits, maxDepth, maxBytes>>20))
	}
	w.limitHit = true
	return true
}

// visit walks one template with the arguments of one caller.
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

// visitPrepared walks one template that is prepared.
func (w *walker) visitPrepared(t scopedTemplate, pos position) {
	w.visitedBytes += t.Size()
	if t.usesConfigMap {
		pos = pos.capCertainty(Possible) // by then the ConfigMap may say something else
	}
	pos.errorTolerated = pos.errorTolerated || pos.continuesOnError && (!t.IsPodType() || t.RetryStrategy != nil)
	pos.continuesOnError = false
	if t.Memoize != nil {
		pos.certainty = min(pos.certainty, Possible) // a cache hit leaves the pod out
	}
	if pos.inExitHandler {
		t.key += "\x00exit"
	}
	if t.IsPodType() {
		w.visitPod(t, pos)
		return
	}
	// The same template with the same inputs leads to the same pods: once is enough, unless now it is surer, or more depends on
	// it. This also ends recursion.
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
		w.addGap(pos.steps, "the template is of a kind that is not known here")
	}
}

// visitPod adds the pod of a template, or one more step to a pod that is there.
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

// addPod takes up a pod that the walk has reached for the first time.
func (w *walker) addPod(key string, pod Pod, pos position) {
	w.podIndex[key] = len(w.out.Pods)
	w.out.Pods = append(w.out.Pods, pod)
	w.recordPath(w.podIndex[key], pos)
}

// recordPath records one more way to a pod.
func (w *walker) recordPath(i int, pos position) {
	w.out.Pods[i].Origin.addStep(pos)
	for _, visited := range w.inProgress {
		if len(visited.pods) < maxReachedPods {
			visited.pods = append(visited.pods, reachedPod{i, pos.certainty, pos.errorTolerated, pos.steps[visited.depth:]})
		}
	}
}

// addGap records a place that can't be followed. What would run there may make any object.
func (w *walker) addGap(steps []string, reason string) {
	w.addNote(strings.Join(steps, "/"), reason)
	w.recordUnknownCreated()
}

// addUnreadable records a step that can't be read, unless it is only that the budget is spent: then that is said, and once.
func (w *walker) addUnreadable(pos position, err error) {
	if errors.Is(err, errBudgetSpent) {
		w.overLimit(pos)
		return
	}
	w.addGap(pos.steps, err.Error())
}

// addNote records something that is not known, each once, and that does not hide any step.
func (w *walker) addNote(step, reason string) {
	if g := (Gap{Step: step, Reason: reason}); !w.seenGaps[g] && len(w.seenGaps) < maxGaps {
		w.seenGaps[g] = true
		w.out.Gaps = append(w.out.Gaps, g)
	}
}

// prepare returns the template as it runs with these arguments: templateDefaults merged in, inputs resolved, every tag
// that is known replaced.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go executeTemplate, workflow/common/util.go ProcessArgs.
func (w *walker) prepare(t scopedTemplate, args wfv1.Arguments) (scopedTemplate, error) {
	tmpl, err := mergeTemplateDefaults(w.budget, t.Template, w.wf.Spec.TemplateDefaults)
	if err != nil {
		return t, fmt.Errorf("the templateDefaults can't be merged into the template: %w", err)
	}
	unreadable := func(err error) error {
		return fmt.Errorf("the template can't be read once its parameters are filled in: %w", err)
	}
	// The inputs' own defaults may name the Workflow's parameters, and those that come from the caller may not.
	own, inputs := *tmpl, tmpl.Inputs
	if err := resolveTags(w.budget, &inputs, w.globals); err != nil {
		return t, unreadable(err)
	}
	t.inputs, t.usesConfigMap = w.inputValues(inputs, args)
	inputs.Artifacts = withArtifactArguments(inputs.Artifacts, args)
	if err := resolveTags(w.budget, &inputs, t.inputs); err != nil {
		return t, unreadable(err)
	}
	own.Inputs = wfv1.Inputs{}
	if err := resolveTags(w.budget, &own, w.globals, t.inputs); err != nil {
		return t, unreadable(err)
	}
	own.Inputs = inputs
	t.Template = &own
	key, err := inputsKey(t.inputs, t.Inputs.Artifacts)
	if err == nil {
		err = w.budget.spend(len(key))
	}
	t.key += "\x00" + key
	return t, err
}

// inputsKey stands for inputs: equal keys, equal inputs.
func inputsKey(inputs tagValues, artifacts wfv1.Artifacts) (string, error) {
	var key []byte
	part := func(text string) {
		key = strconv.AppendInt(key, int64(len(text)), 10)
		key = append(append(key, ':'), text...)
	}
	names := slices.AppendSeq(make([]string, 0, len(inputs)), maps.Keys(inputs))
	slices.Sort(names)
	for _, name := range names {
		part(name)
		part(inputs[name])
	}
	if len(artifacts) == 0 {
		return string(key), nil
	}
	raw, err := json.Marshal(artifacts)
	return string(key) + "\x00" + string(raw), err
}
