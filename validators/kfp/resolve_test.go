package kfp

import (
	"testing"
)

// TestDAGInputs passes a name to a step through the inputs of nested DAGs and of loops.
func TestDAGInputs(t *testing.T) {
	const config = "imagePullSecret: [{secretNameParameter: {componentInputParameter: name}}]"
	for name, test := range map[string]struct {
		component, task string
		iteration       string
		want            string // the name
		count           string // the number of iterations
	}{
		"an argument": {
			task: "inputs: {parameters: {name: {componentInputParameter: whose}}}", want: "ours",
		},
		"a constant": {
			task: "inputs: {parameters: {name: {runtimeValue: {constant: fixed}}}}", want: "fixed",
		},
		"a constant in the deprecated field, which the driver ignores": {
			task: "inputs: {parameters: {name: {runtimeValue: {constantValue: {stringValue: fixed}}}}}", want: "{{...}}",
		},
		"a default": {
			component: "inputDefinitions: {parameters: {name: {defaultValue: usual, isOptional: true}}}", want: "usual",
		},
		"an argument overrides a default": {
			component: "inputDefinitions: {parameters: {name: {defaultValue: usual, isOptional: true}}}",
			task:      "inputs: {parameters: {name: {componentInputParameter: whose}}}", want: "ours",
		},
		"optional and not passed": {
			component: "input_definitions: {parameters: {name: {is_optional: true}}}", want: "",
		},
		"an output": {
			task: "inputs: {parameters: {name: {taskOutputParameter: {producerTask: a, outputParameterKey: b}}}}",
			want: "{{tasks.a.outputs.parameters.b}}",
		},
		"a part of a value": {
			task: "inputs: {parameters: {name: {componentInputParameter: whose, parameterExpressionSelector: x}}}",
			want: "{{inputs.parameters.name}}",
		},
		"not passed on": {want: "{{inputs.parameters.name}}"},
		"a loop over a list": {
			task: "parameterIterator: {itemInput: name, items: {raw: '[\"a\", \"b\"]'}}", iteration: "1", want: "b", count: "2",
		},
		"a loop over an input": {
			task: "inputs: {parameters: {list: {componentInputParameter: names}}}\n" +
				"parameterIterator: {itemInput: name, items: {inputParameter: list}}",
			iteration: "0", want: "x", count: "2",
		},
		"a loop over a list as JSON text": {
			task: "inputs: {parameters: {list: {componentInputParameter: text}}}\n" +
				"parameterIterator: {itemInput: name, items: {inputParameter: list}}",
			iteration: "0", want: "y", count: "1",
		},
		"a loop over an output": {
			task: "inputs: {parameters: {list: {taskOutputParameter: {producerTask: a, outputParameterKey: b}}}}\n" +
				"parameterIterator: {itemInput: name, items: {inputParameter: list}}",
			iteration: "{{item}}", want: "{{inputs.parameters.name}}",
		},
		"the list itself, in an iteration": {
			task: "inputs: {parameters: {name: {componentInputParameter: names}}}\n" +
				"parameterIterator: {itemInput: item, items: {inputParameter: name}}",
			iteration: "0", want: "{{inputs.parameters.name}}", count: "2",
		},
		"an item converted to a string": {
			component: "inputDefinitions: {parameters: {name: {parameterType: STRING}}}",
			task:      "parameterIterator: {itemInput: name, items: {raw: '[1, 2]'}}", iteration: "1", want: "2", count: "2",
		},
		"an iteration out of range": {
			task: "parameterIterator: {itemInput: name, items: {raw: '[\"a\"]'}}", iteration: "1", want: "{{inputs.parameters.name}}", count: "1",
		},
		"an empty loop": {
			task: "parameterIterator: {itemInput: name, items: {raw: '[]'}}", iteration: "0", want: "{{inputs.parameters.name}}", count: "0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			dag := startRun(t, &r, `{"whose": "ours", "names": ["x", "y"], "text": "[\"y\"]"}`)
			args := []string{"--type", "DAG", "--task", yamlToJSON(t, test.task), "--component", yamlToJSON(t, test.component)}
			out := driverOutputsOf(t, &r, append(args, "--dag_execution_id", dag)...)
			if out["iteration-count"] != test.count {
				t.Errorf("%q iterations, want %q", out["iteration-count"], test.count)
			}
			if test.iteration != "" {
				out = driverOutputsOf(t, &r, append(args, "--dag_execution_id", out["execution-id"], "--iteration_index", test.iteration)...)
			}
			var got string
			if secrets := podPatch(t, &r, out["execution-id"], "", "", "", config).Spec.ImagePullSecrets; len(secrets) > 0 {
				got = secrets[0].Name
			}
			if got != test.want {
				t.Errorf("the name is %q, want %q", got, test.want)
			}
		})
	}
}
