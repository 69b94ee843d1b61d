package forecast

import (
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// TestEndsRun forecasts Workflows that were run under a quota that rejects the pod of step. Those
// with goesOn succeeded.
func TestEndsRun(t *testing.T) {
	const others = `{name: pause, suspend: {duration: "1"}}, {name: step, container: {image: a}}, ` +
		`{name: steps, steps: [[{name: one, template: step}]]}`
	for name, test := range map[string]struct {
		main   string
		goesOn bool
	}{
		"a task alone":      {main: `dag: {tasks: [{name: a, template: step}]}`},
		"after its success": {main: `dag: {tasks: [{name: a, template: step}, {name: b, template: pause, depends: (a.Succeeded && a)}]}`},
		"after its failure": {main: `dag: {tasks: [{name: a, template: step}, {name: b, template: pause, depends: a.Failed}]}`},
		"after its error":   {main: `dag: {tasks: [{name: a, template: step}, {name: b, template: pause, depends: a.Errored}]}`, goesOn: true},
		"after its hook": {
			main:   `dag: {tasks: [{name: a, template: step, hooks: {exit: {template: pause}}}, {name: b, template: pause, dependencies: [a]}]}`,
			goesOn: true,
		},
		"before a task that may err": {
			main:   `dag: {tasks: [{name: a, template: step}, {name: b, template: pause, dependencies: [a], continueOn: {error: true}}]}`,
			goesOn: true,
		},
		"after another task": {
			main:   `dag: {tasks: [{name: a, template: step}, {name: b, template: pause}, {name: c, template: pause, depends: a || b}]}`,
			goesOn: true,
		},
		"after anything but its success": {
			main:   `dag: {tasks: [{name: a, template: step}, {name: b, template: pause, depends: "!a.Succeeded"}]}`,
			goesOn: true,
		},
		"after the success of one of many": {
			main:   `dag: {tasks: [{name: a, template: step, withItems: [1, 2]}, {name: b, template: pause, depends: a.AnySucceeded}]}`,
			goesOn: true,
		},
		"a task that may err":           {main: `dag: {tasks: [{name: a, template: step, continueOn: {error: true}}]}`, goesOn: true},
		"a task that may fail":          {main: `dag: {tasks: [{name: a, template: step, continueOn: {failed: true}}]}`},
		"a step that may err":           {main: `steps: [[{name: a, template: step, continueOn: {error: true}}]]`},
		"a step of steps that may err":  {main: `steps: [[{name: a, template: steps, continueOn: {error: true}}]]`, goesOn: true},
		"a step alone":                  {main: `steps: [[{name: a, template: step}]]`},
		"steps in a step":               {main: `steps: [[{name: a, template: steps}]]`},
		"a step of steps that may fail": {main: `steps: [[{name: a, template: steps, continueOn: {failed: true}}]]`, goesOn: true},
		"after the failure of a task's steps": {
			main:   `dag: {tasks: [{name: a, template: steps}, {name: b, template: pause, depends: a.Failed}]}`,
			goesOn: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			wf, err := DecodeYAML[wfv1.Workflow]([]byte("spec: {entrypoint: main, templates: [{name: main, " + test.main + "}, " + others + "]}"))
			if err != nil {
				t.Fatal(err)
			}
			for _, pod := range Workflow(wf, controllerOnlyFacts{}, Options{}).Pods {
				if goesOn := pod.Origin.EndsRun != Certain; goesOn != test.goesOn {
					t.Errorf("step %v: an error ends the run: %v", pod.Origin.Steps, pod.Origin.EndsRun)
				}
			}
		})
	}
}
