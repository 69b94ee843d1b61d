package kfp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Run simulates the drivers of one run. Its zero value is a run that has not started.
type Run struct {
	// CacheMayHit makes it unknown whether a step with caching enabled runs. Otherwise every step counts as running: a run must
	// not depend on its cache.
	CacheMayHit bool

	dagInputs                []parameterValues // of the DAGs whose drivers have run; an ID is an index plus one
	dagIDByFingerprint       map[string]string
	patchByPlaceholder       map[string]Patch
	placeholderByFingerprint map[string]string
	recordedBytes            int // the size of everything recorded
}

// maxRecordedBytes limits what is recorded of a run. Beyond it, the outputs of drivers are unknown.
const maxRecordedBytes = 32 << 20

// DriverOutputs returns what a driver would write, given the arguments of its container. The result maps the names of output
// parameters to their values. Parts of a value that exist only at run time are template tags, and outputs that exist only at run
// time are missing. The result is nil if the arguments are not those of a driver.
//
// Two outputs have a meaning only to r: the ID of a DAG, which is passed to later drivers, and the patch of a pod, which
// [Run.Patch] looks up.
func (r *Run) DriverOutputs(args []string) map[string]string {
	d, ok := parseDriverCall(args)
	if !ok {
		return nil
	}
	out := driverOutputs{flags: d.flags, values: map[string]string{}}
	if r.recordedBytes > maxRecordedBytes || d.unresolved && d.flags["type"] != "ROOT_DAG" {
		return out.values
	}
	if d.task.message("triggerPolicy").string("condition") == "" {
		out.set("condition_path", "nil")
	}
	switch d.flags["type"] {
	case "ROOT_DAG":
		runtimeConfig := parseMessage(d.flags["runtime_config"])
		out.set("execution_id_path", r.recordDAG(parameterValues(runtimeConfig.message("parameterValues"))))
		out.set("iteration_count_path", "0")
	case "DAG":
		dag := d.dagInputs(r.inputsOfDAG(d.flags["dag_execution_id"]))
		out.set("execution_id_path", r.recordDAG(dag))
		if d.task.message("parameterIterator") != nil {
			if n, ok := d.iterationCount(dag); ok {
				out.set("iteration_count_path", strconv.Itoa(n))
			}
		}
	case "CONTAINER":
		if caches := d.task.message("cachingOptions").optionalBool("enableCache"); !r.CacheMayHit || caches == nil || !*caches {
			out.set("cached_decision_path", "false")
		}
		out.set("pod_spec_patch_path", r.recordPatch(d.podSpecPatch(r.inputsOfDAG(d.flags["dag_execution_id"]))))
	}
	return out.values
}

// StepCommands returns the commands of the step that a driver prepares, and the values of the step's inputs, which may change
// what the commands do. incomplete reports whether any of this exists only at run time and is therefore missing. ok is false if the
// arguments are not those of a driver. The step of a DAG has no commands.
func (r *Run) StepCommands(args []string) (commands, inputValues string, incomplete, ok bool) {
	d, ok := parseDriverCall(args)
	if !ok {
		return "", "", false, false
	}
	container := parseMessage(d.flags["container"])
	words := append(container.strings("command"), container.strings("args")...)
	for _, c := range parseMessage(d.flags["kubernetes_config"]).messages("initContainers") {
		words = append(append(words, c.strings("command")...), c.strings("args")...)
		for _, e := range c.messages("env") {
			words = append(words, e.string("value"))
		}
	}
	inputs := d.taskInputs(r.inputsOfDAG(d.flags["dag_execution_id"]))
	d.addDefaults(inputs)
	incomplete = d.unresolved
	var values []string
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if _, isUnknown := inputs[name].(unknown); isUnknown {
			incomplete = true
		} else if text, err := toText(inputs[name]); err == nil {
			values = append(values, text)
		}
	}
	return strings.Join(words, " "), strings.Join(values, " "), incomplete, true
}

// createPVCImage is the image of components whose driver creates a PersistentVolumeClaim.
const createPVCImage = "argostub/createpvc"

// CreatedPVC returns the name of the PersistentVolumeClaim that a driver creates. Parts that exist only at run time are template
// tags. ok is false if the driver creates none.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/k8s.go createPVC.
func (r *Run) CreatedPVC(args []string) (name string, ok bool) {
	if !slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, createPVCImage) }) {
		return "", false // cheaper than parsing the arguments
	}
	d, ok := parseDriverCall(args)
	if !ok || parseMessage(d.flags["container"]).string("image") != createPVCImage {
		return "", false
	}
	inputs := d.taskInputs(r.inputsOfDAG(d.flags["dag_execution_id"]))
	if name, ok := inputs["pvc_name"].(string); ok && name != "" {
		return name, true
	}
	if name, ok := inputs["pvc_name"].(unknown); ok {
		return string(name), true
	}
	suffix, _ := inputs["pvc_name_suffix"].(string)
	return "{{$.uuid}}" + suffix, true
}

// Patch returns the patch that a driver of the run has output as podSpecPatch. ok is false if no driver has.
func (r *Run) Patch(podSpecPatch string) (patch Patch, ok bool) {
	patch, ok = r.patchByPlaceholder[podSpecPatch]
	return patch, ok
}

// recordDAG records the inputs of a DAG and returns the DAG's ID. Equal inputs have equal IDs.
func (r *Run) recordDAG(inputs parameterValues) string {
	key := r.fingerprint(inputs)
	if id, ok := r.dagIDByFingerprint[key]; ok {
		return id
	}
	if r.dagIDByFingerprint == nil {
		r.dagIDByFingerprint = map[string]string{}
	}
	r.dagInputs = append(r.dagInputs, inputs)
	id := strconv.Itoa(len(r.dagInputs))
	r.dagIDByFingerprint[key] = id
	return id
}

// inputsOfDAG returns the inputs of the DAG with the given ID, or nil if it is unknown.
func (r *Run) inputsOfDAG(id string) parameterValues {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(r.dagInputs) {
		return nil
	}
	return r.dagInputs[n-1]
}

// recordPatch records a patch and returns a placeholder for it. Equal patches have equal placeholders.
func (r *Run) recordPatch(p Patch) string {
	key := r.fingerprint(p)
	if placeholder, ok := r.placeholderByFingerprint[key]; ok {
		return placeholder
	}
	if r.placeholderByFingerprint == nil {
		r.placeholderByFingerprint, r.patchByPlaceholder = map[string]string{}, map[string]Patch{}
	}
	placeholder := fmt.Sprintf("kfp-preflight.dev/patch-%d", len(r.patchByPlaceholder)+1)
	r.placeholderByFingerprint[key], r.patchByPlaceholder[placeholder] = placeholder, p
	return placeholder
}

// fingerprint returns equal strings for equal values. Unknown values are template tags, which differ from known values.
func (r *Run) fingerprint(v any) string {
	raw, err := json.Marshal(v)
	if err != nil { // does not happen: all values come from JSON
		r.recordedBytes = maxRecordedBytes + 1
	}
	r.recordedBytes += len(raw)
	return string(raw)
}
