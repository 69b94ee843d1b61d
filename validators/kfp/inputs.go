package kfp

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// inputs are the values of the input parameters of a DAG or a step, by name: JSON values, nil for null, and unknown where
// the value exists only at run time. A nil map knows nothing of any parameter.
type inputs map[string]any

// unknown is the value of a parameter that exists only at run time: a tag in the style of Argo that says where it comes
// from. It stands wherever the value would stand.
type unknown string

// unknownInput stands for a parameter of the component that a step belongs to.
func unknownInput(name string) unknown {
	return unknown("{{inputs.parameters." + name + "}}")
}

// resolve gives the value of a parameter of a task, or of its Kubernetes configuration, in the DAG whose inputs are parent.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/resolve.go resolveInputParameter.
func (d *driver) resolve(spec message, parent inputs) any {
	if name := spec.text("componentInputParameter"); name != "" {
		if v, ok := parent[name]; ok {
			return v
		}
		return unknownInput(name)
	}
	if from := spec.message("taskOutputParameter"); from != nil {
		return outputOf(from)
	}
	if runtime := spec.message("runtimeValue"); runtime != nil {
		if constant, ok := runtime["constant"]; ok {
			return d.constant(constant)
		}
	}
	return unknown("{{...}}") // a kind that no driver takes, or that comes from the end of another task
}

// outputOf stands for what another task puts out.
func outputOf(from message) unknown {
	return unknown(fmt.Sprintf("{{tasks.%s.outputs.parameters.%s}}", from.text("producerTask"), from.text("outputParameterKey")))
}

// constant gives the value of a constant, in which the driver fills in what it knows of the run.
func (d *driver) constant(v any) any {
	text, ok := v.(string)
	if !ok || !strings.Contains(text, "{{$") {
		return v
	}
	if strings.Contains(text, "{{$.workspace_path}}") {
		return strings.ReplaceAll(text, "{{$.workspace_path}}", "/kfp-workspace")
	}
	flag := map[string]string{
		"{{$.pipeline_job_name}}":          "run_display_name",
		"{{$.pipeline_job_resource_name}}": "run_name",
		"{{$.pipeline_job_uuid}}":          "run_id",
		"{{$.pipeline_task_name}}":         "task_name",
	}[text]
	if value, ok := d.flags[flag]; ok && !strings.Contains(value, "{{") {
		return value
	}
	return unknown(text)
}

// dagInputs are the inputs that the driver of a DAG records for the steps inside of it.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/resolve.go resolveInputs, dag.go DAG.
func (d *driver) dagInputs(parent inputs) inputs {
	iterator := d.task.message("parameterIterator")
	item := iterator.text("itemInput")
	if index, ok := d.iteration(); ok {
		// A round of a loop has the inputs of the loop, and its item in place of the list.
		out := inputs(maps.Clone(parent))
		if out == nil {
			out = inputs{}
		}
		list := iterator.message("items").text("inputParameter")
		if list == "" {
			list = item
		}
		items, known := listOf(out[list])
		delete(out, list)
		switch {
		case known && index >= 0 && index < len(items):
			out[item] = d.converted(item, items[index])
		default:
			out[item] = unknownInput(item)
		}
		return out
	}
	out := d.taskInputs(parent)
	d.addDefaults(out)
	if raw := iterator.message("items").text("raw"); raw != "" {
		out[item] = raw
	}
	return out
}

// addDefaults gives the parameters of the component that the task does not give their defaults, null where they have none.
func (d *driver) addDefaults(out inputs) {
	definitions := d.component.message("inputDefinitions").message("parameters")
	for _, name := range definitions.keys() {
		if _, given := out[name]; given {
			continue
		}
		definition := definitions.message(name)
		if value, ok := definition["defaultValue"]; ok {
			out[name] = value
		} else if optional := definition.flag("isOptional"); optional != nil && *optional {
			out[name] = nil
		}
	}
}

// taskInputs are the values that the task itself gives.
func (d *driver) taskInputs(parent inputs) inputs {
	out := inputs{}
	parameters := d.task.message("inputs").message("parameters")
	for _, name := range parameters.keys() {
		spec := parameters.message(name)
		out[name] = d.resolve(spec, parent)
		if spec.text("parameterExpressionSelector") != "" {
			out[name] = unknownInput(name) // a part of the value, by an expression
		}
		out[name] = d.converted(name, out[name])
	}
	return out
}

// converted is the value of an input as the component has it: one that is to be a text becomes one.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/resolve.go handleParamTypeValidationAndConversion.
func (d *driver) converted(name string, v any) any {
	definition := d.component.message("inputDefinitions").message("parameters").message(name)
	if _, isUnknown := v.(unknown); isUnknown || v == nil || definition.text("parameterType") != "STRING" {
		return v
	}
	text, err := textOf(v)
	if err != nil {
		return unknownInput(name)
	}
	return text
}

// rounds is how often a loop runs; ok is false where its list exists only at run time.
func (d *driver) rounds(dag inputs) (n int, ok bool) {
	iterator := d.task.message("parameterIterator")
	list := iterator.message("items").text("inputParameter")
	if list == "" {
		list = iterator.text("itemInput")
	}
	items, ok := listOf(dag[list])
	return len(items), ok
}

// listOf is the list that a loop runs over: a list, or the text of one.
func listOf(v any) (items []any, ok bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case string:
		ok = json.Unmarshal([]byte(v), &items) == nil && items != nil
		return items, ok
	}
	return nil, false
}
