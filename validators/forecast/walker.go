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
	work       *budget
	wf         *wfv1.Workflow
	facts      Facts
	controller ControllerConfig
	repository *ArtifactRepository
	location   *wfv1.ArtifactLocation // of the repository; made when it is first needed
	globals    values
	home       *scope           // the Workflow's own templates
	others     map[string]other // those of the WorkflowTemplates that it refers to, by kind and name
	out        Forecast

	visits  int
	bytes   int
	full    bool               // a bound was reached
	visited map[string]*walked // by template, inputs and whether errors are tolerated
	open    []*walked          // those that are being walked, from the outside in
	pods    map[string]int     // template and inputs -> index in out.Pods
	gaps    map[Gap]bool
	tokens  map[string]token // by ServiceAccount

	collectors    map[string]*collector // by the time at which they run, and their permissions
	collectorKeys []string              // in the order in which the Workflow leads to them

	executed      []*wfv1.Template // those whose programs may make something
	manifestBytes int
	volumes       map[string]corev1.Volume // the Workflow's volumes and claims, by name
	volumePaths   map[string]*field.Path   // and where they are written

	anything bool // out.Created has the unknown object
	hooked   bool // a step has a hook

	isKFP bool    // a run of KFP v2
	kfp   kfp.Run // what its drivers have put out
}

// walked is a template that was walked with some inputs. With the same inputs it leads to the same pods again.
type walked struct {
	certainty Certainty
	depth     int // of the steps that lead to it
	reached   []reachedPod
}

// reachedPod is a pod and the steps inside of the walked template that lead to it.
type reachedPod struct {
	pod       int // index in out.Pods
	certainty Certainty
	tolerated bool
	steps     []string
}

// maxReached bounds what is remembered of a template: a chain of templates each of which calls the next one twice leads to
// the same pod by more ways than anybody would read.
const maxReached = 64

// placed is a template and where it is written.
type placed struct {
	*wfv1.Template
	// written is the template as it stands at path, without defaults and with its tags.
	written *wfv1.Template
	path    *field.Path
	scope   *scope
	// inputs are the tags of its inputs that have a value; fromElsewhere says that one came from a ConfigMap.
	inputs        values
	fromElsewhere bool
	// key stands for the place and the resolved inputs: equal keys, equal pods.
	key string
}

func newWalker(work *budget, wf *wfv1.Workflow, home *scope, facts Facts, controller ControllerConfig) *walker {
	w := &walker{
		work: work, wf: wf, facts: facts, controller: controller, home: home,
		others: map[string]other{}, collectors: map[string]*collector{}, visited: map[string]*walked{}, pods: map[string]int{}, gaps: map[Gap]bool{}, tokens: map[string]token{},
		isKFP: kfp.IsV2(wf),
	}
	w.out.Pods = make([]Pod, 0, len(home.templates)) // most become one
	w.globals = w.globalValues()
	w.findVolumes()
	var err error
	if w.repository, err = w.artifactRepository(); err != nil {
		w.note("", "where artifacts and logs go is not known: "+err.Error())
	}
	if w.repository == nil {
		w.repository = &ArtifactRepository{}
	}
	return w
}

// workflow starts the walk where the controller starts.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go operate.
func (w *walker) workflow() {
	spec := &w.wf.Spec
	for _, claim := range spec.VolumeClaimTemplates {
		w.made([]Created{{Kind: "PersistentVolumeClaim", Name: w.wf.Name + "-" + claim.Name}})
	}
	from := position{certainty: Certain, scope: w.home}
	if resumed(w.wf) || w.out.ControllerConfigError != nil {
		from.certainty = Possible
	}
	if spec.Entrypoint != "" {
		w.byName(spec.Entrypoint, spec.Arguments, from.into(spec.Entrypoint, Certain))
	}
	// The exit handler runs however the run ends, also when a step before has failed.
	if hook := spec.GetExitHook(spec.Arguments); hook != nil {
		w.hook("onExit", hook, from)
	}
	w.otherHooks(spec.Hooks, from)
	w.artifactGC()
	if w.hooked { // where the hook of a step errs, Argo may lose sight of how the steps end
		for i := range w.out.Pods {
			w.out.Pods[i].Origin.EndsRun = min(w.out.Pods[i].Origin.EndsRun, Possible)
		}
		for i := range w.out.InvalidConditions {
			w.out.InvalidConditions[i].Origin.EndsRun = min(w.out.InvalidConditions[i].Origin.EndsRun, Possible)
		}
	}
}

// byName visits a template of the scope that the walk is in.
func (w *walker) byName(name string, args wfv1.Arguments, at position) {
	t, ok := at.scope.template(name)
	switch {
	case ok:
		w.visit(t, args, at)
	case HasTag(name):
		w.gap(at.steps, "the template's name "+name+" is known only at run time")
	default:
		w.gap(at.steps, "there is no template "+name+at.scope.in())
	}
}

// enough counts one more step and reports whether the walk has reached one of its bounds.
func (w *walker) enough(at position) bool {
	w.visits++
	if w.work.left == 0 {
		if !w.full {
			w.gap(nil, errSpent.Error())
		}
		w.full = true
	}
	if w.visits <= maxVisits && w.bytes <= maxBytes && at.depth <= maxDepth {
		return w.full
	}
	if !w.full {
		w.gap(at.steps, fmt.Sprintf("more than %d steps and templates, steps nested more than %d deep, or templates of more than %d MiB in all: not everything was looked at",
			maxVisits, maxDepth, maxBytes>>20))
	}
	w.full = true
	return true
}

// visit walks one template with the arguments of one caller.
func (w *walker) visit(t placed, args wfv1.Arguments, at position) {
	if w.enough(at) {
		return
	}
	t, err := w.prepare(t, args)
	if err != nil {
		w.unread(at, err)
		return
	}
	w.enter(t, at)
}

// enter walks one template that is prepared.
func (w *walker) enter(t placed, at position) {
	w.bytes += t.Size()
	if t.fromElsewhere {
		at = at.atMost(Possible) // by then the ConfigMap may say something else
	}
	at.tolerated = at.tolerated || at.ofStep && (!t.IsPodType() || t.RetryStrategy != nil)
	at.ofStep = false
	if t.Memoize != nil {
		at.certainty = min(at.certainty, Possible) // a cache hit leaves the pod out
	}
	if at.exit {
		t.key += "\x00exit"
	}
	if t.IsPodType() {
		w.pod(t, at)
		return
	}
	// The same template with the same inputs leads to the same pods: once is enough, unless now it is surer, or more depends on
	// it. This also ends recursion.
	key := fmt.Sprint(t.key, "\x00", at.tolerated, at.goesOnFailed)
	if before, ok := w.visited[key]; ok && before.certainty >= at.certainty {
		for _, r := range before.reached {
			further := at.further(r.steps).atMost(r.certainty)
			further.tolerated = at.tolerated || r.tolerated
			w.reach(r.pod, further)
		}
		return
	}
	walk := &walked{certainty: at.certainty, depth: len(at.steps)}
	w.visited[key] = walk
	w.open = append(w.open, walk)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	switch {
	case t.Steps != nil:
		w.steps(t, at)
	case t.DAG != nil:
		w.dag(t, at)
	case t.HTTP != nil, t.Plugin != nil:
		w.runs(t.Template)
		w.agent(t, at)
	case t.Suspend == nil:
		w.gap(at.steps, "the template is of a kind that is not known here")
	}
}

// pod adds the pod of a template, or one more step to a pod that is there.
func (w *walker) pod(t placed, at position) {
	if i, ok := w.pods[t.key]; ok {
		w.reach(i, at)
		return
	}
	if t.Resource != nil {
		w.resource(t.Resource)
	} else {
		w.runs(t.Template)
	}
	pod, err := w.assemble(t, at.exit)
	if err != nil {
		w.unread(at, err)
		return
	}
	pod.Origin = Origin{Template: t.Name, Path: t.path}
	w.add(t.key, pod, at)
	w.leaves(t.Template, w.pods[t.key])
}

// add takes up a pod that the walk has reached for the first time.
func (w *walker) add(key string, pod Pod, at position) {
	w.pods[key] = len(w.out.Pods)
	w.out.Pods = append(w.out.Pods, pod)
	w.reach(w.pods[key], at)
}

// reach records one more way to a pod.
func (w *walker) reach(i int, at position) {
	w.out.Pods[i].Origin.addStep(at)
	for _, walk := range w.open {
		if len(walk.reached) < maxReached {
			walk.reached = append(walk.reached, reachedPod{i, at.certainty, at.tolerated, at.steps[walk.depth:]})
		}
	}
}

// gap records a place that can't be followed. What would run there may make any object.
func (w *walker) gap(steps []string, reason string) {
	w.note(strings.Join(steps, "/"), reason)
	w.mayMakeAnything()
}

// unread records a step that can't be read, unless it is only that the budget is spent: then that is said, and once.
func (w *walker) unread(at position, err error) {
	if errors.Is(err, errSpent) {
		w.enough(at)
		return
	}
	w.gap(at.steps, err.Error())
}

// note records something that is not known, each once, and that does not hide any step.
func (w *walker) note(step, reason string) {
	if g := (Gap{Step: step, Reason: reason}); !w.gaps[g] && len(w.gaps) < maxGaps {
		w.gaps[g] = true
		w.out.Gaps = append(w.out.Gaps, g)
	}
}

// prepare returns the template as it runs with these arguments: templateDefaults merged in, inputs resolved, every tag
// that is known replaced.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go executeTemplate, workflow/common/util.go ProcessArgs.
func (w *walker) prepare(t placed, args wfv1.Arguments) (placed, error) {
	tmpl, err := withTemplateDefaults(w.work, t.Template, w.wf.Spec.TemplateDefaults)
	if err != nil {
		return t, fmt.Errorf("the templateDefaults can't be merged into the template: %w", err)
	}
	unreadable := func(err error) error {
		return fmt.Errorf("the template can't be read once its parameters are filled in: %w", err)
	}
	// The inputs' own defaults may name the Workflow's parameters, and those that come from the caller may not.
	own, inputs := *tmpl, tmpl.Inputs
	if err := resolve(w.work, &inputs, w.globals); err != nil {
		return t, unreadable(err)
	}
	t.inputs, t.fromElsewhere = w.inputValues(inputs, args)
	inputs.Artifacts = withArguments(inputs.Artifacts, args)
	if err := resolve(w.work, &inputs, t.inputs); err != nil {
		return t, unreadable(err)
	}
	own.Inputs = wfv1.Inputs{}
	if err := resolve(w.work, &own, w.globals, t.inputs); err != nil {
		return t, unreadable(err)
	}
	own.Inputs = inputs
	t.Template = &own
	key, err := keyOf(t.inputs, t.Inputs.Artifacts)
	if err == nil {
		err = w.work.take(len(key))
	}
	t.key += "\x00" + key
	return t, err
}

// keyOf stands for inputs: equal keys, equal inputs.
func keyOf(inputs values, artifacts wfv1.Artifacts) (string, error) {
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
