package objects

import (
	"slices"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// pipeline contains every kind of task: independent, dependent, in a loop, behind a condition, an exit handler, an importer, and one that
// only a driver acts on.
const pipeline = `
pipelineInfo: {name: project/example}
schemaVersion: 2.1.0
sdkVersion: kfp-2.14.3
deploymentSpec:
  executors:
    exec-step: {container: {image: busybox, command: [echo], resources: {resourceCpuRequest: "1"}}}
    exec-import: {importer: {artifactUri: {constant: gs://a/b}, typeSchema: {schemaTitle: system.Dataset}}}
    exec-createpvc: {container: {image: argostub/createpvc}}
components:
  comp-step: {executorLabel: exec-step, inputDefinitions: {parameters: {text: {parameterType: STRING, isOptional: true}}}}
  comp-import: {executorLabel: exec-import}
  comp-createpvc: {executorLabel: exec-createpvc, inputDefinitions: {parameters: {pvc_name: {parameterType: STRING}}}}
  comp-group:
    dag: {tasks: {inner: {componentRef: {name: comp-step}}}}
root:
  inputDefinitions:
    parameters: {secret: {parameterType: STRING, defaultValue: credentials}, nothing: {parameterType: STRING, isOptional: true}}
  dag:
    tasks:
      first: {componentRef: {name: comp-step}}
      second:
        componentRef: {name: comp-step}
        inputs: {parameters: {text: {taskOutputParameter: {producerTask: first, outputParameterKey: Output}}}}
      loop: {componentRef: {name: comp-group}, parameterIterator: {itemInput: item, items: {raw: "[1, 2]"}}}
      maybe: {componentRef: {name: comp-group}, triggerPolicy: {condition: "inputs.parameter_values['secret'] == 'x'"}}
      bring: {componentRef: {name: comp-import}}
      claim: {componentRef: {name: comp-createpvc}, inputs: {parameters: {pvc_name: {runtimeValue: {constant: data}}}}}
      last: {componentRef: {name: comp-step}, dependentTasks: [maybe], triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}}
`

const platforms = `
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-step:
          secretAsEnv:
          - secretNameParameter: {runtimeValue: {constant: credentials}}
            keyToEnv: [{secretKey: token, envVar: TOKEN}]
`

func TestPipeline(t *testing.T) {
	o, err := DecodePipeline([]byte(asJSON(t, pipeline)), []byte(asJSON(t, platforms)), "team-a")
	if err != nil {
		t.Fatal(err)
	}
	var pods []string
	for _, pod := range forecast.Workflow(o.workflow, &validators.State{Complete: true}, forecast.Options{}).Pods {
		for _, step := range pod.Origin.Steps {
			pods = append(pods, step+" "+pod.Origin.Certainty.String())
		}
	}
	slices.Sort(pods)
	pods = slices.Compact(pods)
	want := []string{
		"bring certain", "claim certain", "first certain", "first-driver certain", "loop/inner certain", "loop/inner-driver certain",
		"loop/iteration-driver certain", "loop/iteration-item-driver certain", "maybe-driver certain",
		"maybe/inner certain", // the same pod as in the loop
		"maybe/inner-driver possible", "maybe/onExit/last possible", "maybe/onExit/last-driver possible",
		"root-driver certain", "second certain", "second-driver certain",
	}
	if !slices.Equal(pods, want) {
		t.Errorf("pods of\n%s\nwant\n%s", strings.Join(pods, "\n"), strings.Join(want, "\n"))
	}
	for _, template := range o.workflow.Spec.Templates {
		if strings.HasPrefix(template.Name, "exit-hook-") && strings.Contains(template.DAG.Tasks[0].Depends, "maybe") {
			t.Errorf("%s depends on a task of another template", template.Name)
		}
	}
	secretMissing := func(rule string) bool { return rule == validators.WorkflowSecretMissing }
	findings := o.Evaluate(&validators.State{Complete: true}, validators.Options{}, secretMissing)
	if len(findings) != 1 || findings[0].Certainty != validators.Certain ||
		findings[0].Field != "platforms.kubernetes.deploymentSpec.executors[exec-step]" {
		t.Errorf("%+v", findings)
	}
	if o.String() != "Pipeline team-a/example-*" {
		t.Errorf("the object is called %s", o)
	}
}

func TestInvalidPipeline(t *testing.T) {
	for want, change := range map[string][2]string{
		"there is no component 'comp-nowhere', which task first of root names": {
			"first: {componentRef: {name: comp-step}}", "first: {componentRef: {name: comp-nowhere}}",
		},
		"deploymentSpec.executors has no exec-nowhere, which component comp-import": {
			"comp-import: {executorLabel: exec-import}", "comp-import: {executorLabel: exec-nowhere}",
		},
		"deploymentSpec.executors[exec-import] is neither a container nor": {"importer: {artifactUri", "resolver: {artifactUri"},
		"component comp-group is neither an executor nor a group of tasks": {"dag: {tasks: {inner", "other: {tasks: {inner"},
	} {
		text := strings.Replace(pipeline, change[0], change[1], 1)
		if _, err := DecodePipeline([]byte(asJSON(t, text)), nil, "team-a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := DecodePipeline([]byte(asJSON(t, pipeline)), nil, "team-a"); err != nil {
		t.Errorf("without platforms: %v", err)
	}
}
