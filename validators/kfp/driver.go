package kfp

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// IsV2 reports whether wf is a run of KFP v2, by the mark that KFP itself goes by.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/argo.go.
func IsV2(wf *wfv1.Workflow) bool {
	const mark = "pipelines.kubeflow.org/v2_component"
	m := wf.Spec.PodMetadata
	return m != nil && (m.Labels[mark] == "true" || m.Annotations[mark] == "true")
}

// Scaffolding reports whether a task of a template is one that KFP's compiler adds around the steps of the pipeline, so
// that its name says nothing to the pipeline's author.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler dag.go, container.go.
func Scaffolding(template, task string) bool {
	switch task {
	case "root":
		return template == "entrypoint"
	case "executor":
		return strings.HasSuffix(template, "system-container-executor")
	case "iteration-iterations":
		return strings.HasSuffix(template, "-iterator")
	case "iteration-item":
		return strings.HasSuffix(template, "-iteration")
	}
	return false
}

// Run follows the drivers of one run. Its zero value is the run's beginning.
type Run struct {
	// CacheMayHit leaves open whether a step runs that an earlier result may stand in for. Otherwise it does: a run must not
	// live on its cache.
	CacheMayHit bool

	dags    []inputs // what drivers of DAGs have recorded
	dagIDs  map[string]string
	patches map[string]Patch
	texts   map[string]string // patches by what is in them
	bytes   int               // what is recorded, in all
}

// maxBytes bounds what is recorded of a run. What drivers put out beyond it is not known.
const maxBytes = 32 << 20

// Driver works out what a driver would write, from the arguments of its container: as far as they are known, with tags
// where they are not. The result has the values of its output parameters by name, without those that exist only at run
// time. It is nil if the arguments are not those of a driver.
//
// Two of the values have a meaning only for r: the ID of a DAG, which later drivers are given, and the patch of a pod,
// which Patch reads.
func (r *Run) Driver(args []string) map[string]string {
	d, ok := newDriver(args)
	if !ok {
		return nil
	}
	out := outputs{flags: d.flags, values: map[string]string{}}
	if r.bytes > maxBytes || d.unread && d.flags["type"] != "ROOT_DAG" {
		return out.values
	}
	if d.task.message("triggerPolicy").text("condition") == "" {
		out.set("condition_path", "nil")
	}
	switch d.flags["type"] {
	case "ROOT_DAG":
		runtime := parse(d.flags["runtime_config"])
		out.set("execution_id_path", r.record(inputs(runtime.message("parameterValues"))))
		out.set("iteration_count_path", "0")
	case "DAG":
		dag := d.dagInputs(r.inputsOf(d.flags["dag_execution_id"]))
		out.set("execution_id_path", r.record(dag))
		if d.task.message("parameterIterator") != nil {
			if n, ok := d.rounds(dag); ok {
				out.set("iteration_count_path", strconv.Itoa(n))
			}
		}
	case "CONTAINER":
		if caches := d.task.message("cachingOptions").flag("enableCache"); !r.CacheMayHit || caches == nil || !*caches {
			out.set("cached_decision_path", "false")
		}
		out.set("pod_spec_patch_path", r.keep(d.patch(r.inputsOf(d.flags["dag_execution_id"]))))
	}
	return out.values
}

// Program is what the step that a driver prepares executes: the commands of its containers, and the values of its inputs, which
// may tell it what to do. open says that some of these, or all, exist only at run time. ok is false if the arguments are not those of
// a driver; the driver of a DAG prepares no program.
func (r *Run) Program(args []string) (commands, values string, open, ok bool) {
	d, ok := newDriver(args)
	if !ok {
		return "", "", false, false
	}
	container := parse(d.flags["container"])
	parts := append(container.texts("command"), container.texts("args")...)
	for _, c := range parse(d.flags["kubernetes_config"]).messages("initContainers") {
		parts = append(append(parts, c.texts("command")...), c.texts("args")...)
		for _, e := range c.messages("env") {
			parts = append(parts, e.text("value"))
		}
	}
	given := d.taskInputs(r.inputsOf(d.flags["dag_execution_id"]))
	d.addDefaults(given)
	open = d.unread
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, isUnknown := given[name].(unknown); isUnknown {
			open = true
		} else if text, err := textOf(given[name]); err == nil {
			texts = append(texts, text)
		}
	}
	return strings.Join(parts, " "), strings.Join(texts, " "), open, true
}

// createClaim is the image of components whose driver makes a claim.
const createClaim = "argostub/createpvc"

// Claim is the name of the PersistentVolumeClaim that a driver makes, with a tag for what exists only at run time. ok is false
// if it makes none.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/k8s.go createPVC.
func (r *Run) Claim(args []string) (name string, ok bool) {
	if !slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, createClaim) }) {
		return "", false // which costs less than to read them all
	}
	d, ok := newDriver(args)
	if !ok || parse(d.flags["container"]).text("image") != createClaim {
		return "", false
	}
	given := d.taskInputs(r.inputsOf(d.flags["dag_execution_id"]))
	if name, ok := given["pvc_name"].(string); ok && name != "" {
		return name, true
	}
	if name, ok := given["pvc_name"].(unknown); ok {
		return string(name), true
	}
	suffix, _ := given["pvc_name_suffix"].(string)
	return "{{$.uuid}}" + suffix, true
}

// driver is one call of KFP's driver.
type driver struct {
	flags           map[string]string
	component, task message
	unread          bool // the component or the task could not be read, and may say anything
}

// newDriver reads the arguments of a driver; ok is false if they are not.
func newDriver(args []string) (d driver, ok bool) {
	d.flags = parseFlags(args)
	switch d.flags["type"] {
	case "ROOT_DAG", "DAG", "CONTAINER":
		d.component, d.task = parse(d.flags["component"]), parse(d.flags["task"])
		d.unread = d.component == nil && d.flags["component"] != "" || d.task == nil && d.flags["task"] != ""
		return d, true
	}
	return d, false
}

// parseFlags reads a command line as far as it has the form "--name value" or "--name=value".
func parseFlags(args []string) map[string]string {
	flags := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		if !ok {
			continue
		}
		if name, value, ok := strings.Cut(name, "="); ok {
			flags[name] = value
		} else if i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			i++
			flags[name] = args[i]
		}
	}
	return flags
}

// iteration is the round of a loop that the driver is for; ok is false outside of one, and the index negative where it
// exists only at run time.
func (d *driver) iteration() (index int, ok bool) {
	text, given := d.flags["iteration_index"]
	index, err := strconv.Atoi(text)
	switch {
	case !given, err == nil && index < 0:
		return 0, false
	case err != nil:
		return -1, true
	}
	return index, true
}

// outputs collects what a driver writes into its files, by the output parameters that read them.
type outputs struct {
	flags  map[string]string
	values map[string]string
}

var outputPath = regexp.MustCompile(`^\{\{outputs\.parameters\.([\w-]+)\.path\}\}$`)

func (o outputs) set(flag, value string) {
	if m := outputPath.FindStringSubmatch(o.flags[flag]); m != nil {
		o.values[m[1]] = value
	}
}

// record keeps the inputs of a DAG and returns an ID for them: the same for the same inputs.
func (r *Run) record(dag inputs) string {
	key := r.fingerprint(dag)
	if id, ok := r.dagIDs[key]; ok {
		return id
	}
	if r.dagIDs == nil {
		r.dagIDs = map[string]string{}
	}
	r.dags = append(r.dags, dag)
	id := strconv.Itoa(len(r.dags))
	r.dagIDs[key] = id
	return id
}

// inputsOf are the inputs of a DAG by its ID; nil if that is not known.
func (r *Run) inputsOf(id string) inputs {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(r.dags) {
		return nil
	}
	return r.dags[n-1]
}

// keep keeps a patch and returns the text that stands for it: the same for the same patch.
func (r *Run) keep(p Patch) string {
	key := r.fingerprint(p)
	if text, ok := r.texts[key]; ok {
		return text
	}
	if r.texts == nil {
		r.texts, r.patches = map[string]string{}, map[string]Patch{}
	}
	text := fmt.Sprintf("kfp-preflight.dev/patch-%d", len(r.patches)+1)
	r.texts[key], r.patches[text] = text, p
	return text
}

// Patch returns the patch that a podSpecPatch stands for, if a driver gave it.
func (r *Run) Patch(podSpecPatch string) (Patch, bool) {
	p, ok := r.patches[podSpecPatch]
	return p, ok
}

// fingerprint is equal for equal values. Unknown values differ from known ones by their tags.
func (r *Run) fingerprint(v any) string {
	raw, err := json.Marshal(v)
	if err != nil { // what came from JSON can go back
		r.bytes = maxBytes + 1
	}
	r.bytes += len(raw)
	return string(raw)
}
