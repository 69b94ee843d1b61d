package kfp

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// parameterValues maps the input parameters of a DAG or a step to their values: JSON values, nil for null, and unknown for a
// value that exists only at run time. In a nil map, no parameter is known.
type parameterValues map[string]any

// unknown is a parameter value that exists only at run time. It holds a tag in the style of Argo's template tags, which names
// the source of the value and takes the value's place.
type unknown string

// unknownInput returns the unknown value of an input parameter.
func unknownInput(name string) unknown {
	return unknown("{{inputs.parameters." + name + "}}")
}

// resolveParameter returns the value of an input parameter of a task or of its Kubernetes configuration. spec is its
// TaskInputsSpec.InputParameterSpec, and parent holds the inputs of the enclosing DAG.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/resolve.go resolveInputParameter.
func (d *driverCall) resolveParameter(spec message, parent parameterValues) any {
	if name := spec.string("componentInputParameter"); name != "" {
		if v, ok := parent[name]; ok {
			return v
		}
		return unknownInput(name)
	}
	if output := spec.message("taskOutputParameter"); output != nil {
		return taskOutput(output)
	}
	if runtime := spec.message("runtimeValue"); runtime != nil {
		if constant, ok := runtime["constant"]; ok {
			return d.resolveConstant(constant)
		}
	}
	return unknown("{{...}}") // not supported by the driver, or the final status of another task
}

// taskOutput returns the unknown value of an output parameter of another task.
func taskOutput(spec message) unknown {
	task, parameter := spec.string("producerTask"), spec.string("outputParameterKey")
	return unknown(fmt.Sprintf("{{tasks.%s.outputs.parameters.%s}}", task, parameter))
}

// resolveConstant returns the value of a constant, in which the driver replaces placeholders such as {{$.pipeline_job_name}}.
func (d *driverCall) resolveConstant(v any) any {
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

// dagInputs returns the inputs that the driver of a DAG records for the tasks of the DAG.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/resolve.go resolveInputs, dag.go DAG.
func (d *driverCall) dagInputs(parent parameterValues) parameterValues {
	iterator := d.task.message("parameterIterator")
	item := iterator.string("itemInput")
	if index, ok := d.iteration(); ok {
		// An iteration has the inputs of its loop, with the item in place of the list.
		out := parameterValues(maps.Clone(parent))
		if out == nil {
			out = parameterValues{}
		}
		list := iterator.message("items").string("inputParameter")
		if list == "" {
			list = item
		}
		items, known := parseItems(out[list])
		delete(out, list)
		switch {
		case known && index >= 0 && index < len(items):
			out[item] = d.convertParameter(item, items[index])
		default:
			out[item] = unknownInput(item)
		}
		return out
	}
	out := d.taskInputs(parent)
	d.addDefaults(out)
	if raw := iterator.message("items").string("raw"); raw != "" {
		out[item] = raw
	}
	return out
}

// addDefaults sets the parameters that the task does not pass: to their default, or to null if they are optional.
func (d *driverCall) addDefaults(inputs parameterValues) {
	definitions := d.component.message("inputDefinitions").message("parameters")
	for _, name := range definitions.keys() {
		if _, ok := inputs[name]; ok {
			continue
		}
		definition := definitions.message(name)
		if value, ok := definition["defaultValue"]; ok {
			inputs[name] = value
		} else if optional := definition.optionalBool("isOptional"); optional != nil && *optional {
			inputs[name] = nil
		}
	}
}

// taskInputs returns the inputs that the task passes to its component.
func (d *driverCall) taskInputs(parent parameterValues) parameterValues {
	out := parameterValues{}
	parameters := d.task.message("inputs").message("parameters")
	for _, name := range parameters.keys() {
		spec := parameters.message(name)
		out[name] = d.resolveParameter(spec, parent)
		if spec.string("parameterExpressionSelector") != "" {
			out[name] = unknownInput(name) // an expression selects a part of the value
		}
		out[name] = d.convertParameter(name, out[name])
	}
	return out
}

// convertParameter converts the value of an input to the type that the component declares. Only STRING needs a conversion.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/resolve.go handleParamTypeValidationAndConversion.
func (d *driverCall) convertParameter(name string, v any) any {
	definition := d.component.message("inputDefinitions").message("parameters").message(name)
	if _, isUnknown := v.(unknown); isUnknown || v == nil || definition.string("parameterType") != "STRING" {
		return v
	}
	text, err := toText(v)
	if err != nil {
		return unknownInput(name)
	}
	return text
}

// iterationCount returns the number of iterations of a loop. ok is false if its items exist only at run time.
func (d *driverCall) iterationCount(inputs parameterValues) (n int, ok bool) {
	iterator := d.task.message("parameterIterator")
	list := iterator.message("items").string("inputParameter")
	if list == "" {
		list = iterator.string("itemInput")
	}
	items, ok := parseItems(inputs[list])
	return len(items), ok
}

// parseItems returns the items of a loop from a list or from JSON text that holds one.
func parseItems(v any) (items []any, ok bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case string:
		ok = json.Unmarshal([]byte(v), &items) == nil && items != nil
		return items, ok
	}
	return nil, false
}
