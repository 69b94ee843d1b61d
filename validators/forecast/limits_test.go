package forecast

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// TestHostile forecasts Workflows within the API server's limit of 3 MiB that are as expensive as
// possible. It logs what each costs. If a limit is missing, the test times out.
func TestHostile(t *testing.T) {
	many := func(n int, format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(parts, ",")
	}
	items := many(10_000, "%d")
	large := strings.Repeat("x", 1_000_000)
	const mark = `"podMetadata":{"labels":{"pipelines.kubeflow.org/v2_component":"true"}},`
	driver := `{"name":"d","inputs":{"parameters":[{"name":"p","value":"{{workflow.parameters.large}}"}]},` +
		`"container":{"image":"a","args":["--type","CONTAINER","--task","{{inputs.parameters.p}}"]}}`
	for name, spec := range map[string]string{
		"drivers with a large argument": `{` + mark + `"entrypoint":"main","arguments":{"parameters":[{"name":"large","value":"` + large +
			`"}]},"templates":[{"name":"main","dag":{"tasks":[` + many(8000, `{"name":"t%d","template":"d"}`) + `]}},` + driver + `]}`,
		"drivers among many templates": `{` + mark + `"entrypoint":"main","templates":[{"name":"main","dag":{"tasks":[` +
			many(20_000, `{"name":"t%d","template":"z"}`) + `]}},` + many(60_000, `{"name":"n%d"}`) + `]}`,
		"a large patch": `{"entrypoint":"main","podSpecPatch":"# ` + large + `","templates":[{"name":"main","steps":[[{"name":"a",` +
			`"template":"l","withItems":[` + items + `],"arguments":{"parameters":[{"name":"x","value":"{{item}}"}]}}]]},` +
			`{"name":"l","inputs":{"parameters":[{"name":"x"}]},"container":{"image":"a"}}]}`,
		"many volumes": `{"entrypoint":"main","volumes":[` + many(60_000, `{"name":"v%d"}`) + `],"templates":[{"name":"main",` +
			`"steps":[[{"name":"a","template":"l","withItems":[` + items + `],"arguments":{"parameters":[{"name":"x",` +
			`"value":"{{item}}"}]}}]]},{"name":"l","inputs":{"parameters":[{"name":"x"}]},"container":{"image":"a"}}]}`,
		"a long list, recursively": `{"entrypoint":"main","arguments":{"parameters":[{"name":"l","value":"[` +
			strings.Repeat("1,", 900_000) + `1]"}]},"templates":[{"name":"main","inputs":{"parameters":[{"name":"n","value":"a"}]},` +
			`"steps":[[{"name":"a","template":"main","withParam":"{{workflow.parameters.l}}","arguments":{"parameters":[{"name":"n",` +
			`"value":"{{inputs.parameters.n}}{{item}}"}]}}]]}]}`,
		"a large argument for nothing": `{"entrypoint":"main","templates":[{"name":"main","steps":[[{"name":"a","template":"l",` +
			`"withItems":[` + items + `],"arguments":{"parameters":[{"name":"x","value":"{{item}}"},{"name":"y","value":"` + large +
			`"}]}}]]},{"name":"l","container":{"image":"a"}}]}`,
		"many inputs and arguments": `{"entrypoint":"main","arguments":{"parameters":[` + many(25_000, `{"name":"p%d","value":"a"}`) +
			`]},"templates":[{"name":"main","inputs":{"parameters":[` + many(25_000, `{"name":"p%d"}`) + `]},"container":{"image":"a"}}]}`,
		"many mounts": `{"entrypoint":"main","volumes":[` + many(40_000, `{"name":"v%d"}`) + `],"templates":[{"name":"main",` +
			`"container":{"image":"a","volumeMounts":[` + many(40_000, `{"name":"v%d"}`) + `]}}]}`,
		"many credentials": `{"entrypoint":"main","artifactGC":{"strategy":"OnWorkflowCompletion"},` +
			`"templates":[{"name":"main","container":{"image":"a"},"outputs":{"artifacts":[` +
			many(20_000, `{"name":"a%[1]d","s3":{"accessKeySecret":{"name":"s%[1]d","key":"k"}}}`) + `]}}]}`,
		"templates that are not there": `{"entrypoint":"main","templates":[{"name":"main","steps":[[{"name":"a",` +
			`"template":"z{{item}}","withItems":[` + items + `]}]]},` + many(60_000, `{"name":"n%d"}`) + `]}`,
		"a driver's long list": `{` + mark + `"entrypoint":"main","templates":[{"name":"main","dag":{"tasks":[{"name":"d",` +
			`"template":"d","arguments":{"parameters":[{"name":"task","value":"{\"parameterIterator\":{\"itemInput\":\"i\",` +
			`\"items\":{\"raw\":\"[` + strings.Repeat("1,", 400_000) + `1]\"}}}"}]}},{"name":"l","template":"l",` +
			`"withSequence":{"count":"{{tasks.d.outputs.parameters.n}}"}}]}},` +
			`{"name":"d","inputs":{"parameters":[{"name":"task"}]},"outputs":{"parameters":[{"name":"n"}]},` +
			`"container":{"image":"a","args":["--type","DAG","--task","{{inputs.parameters.task}}","--iteration_count_path",` +
			`"{{outputs.parameters.n.path}}"]}},{"name":"l","container":{"image":"a"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			wf, err := Decode[wfv1.Workflow]([]byte(`{"metadata":{"name":"run","namespace":"team-a"},"spec":` + spec + `}`))
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			f := Workflow(wf, controllerOnlyFacts{}, Options{})
			for i := range f.Pods {
				if i < 200 {
					f.Creators("Secret", fmt.Sprintf("missing-%d", i)).Provide(-1)
				}
			}
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			t.Logf("%d KiB: %d pods, %d gaps in %v, %d MiB allocated", len(spec)>>10, len(f.Pods), len(f.Gaps), took.Round(time.Millisecond),
				(after.TotalAlloc-before.TotalAlloc)>>20)
			if len(f.Pods) > maxVisits || len(f.Gaps) > maxGaps {
				t.Errorf("%d pods, %d gaps", len(f.Pods), len(f.Gaps))
			}
		})
	}
}

// TestLimits forecasts Workflows that never end, or not soon.
func TestLimits(t *testing.T) {
	var numbers []string
	for i := range 3 * maxVisits {
		numbers = append(numbers, fmt.Sprint(i))
	}
	items := "[" + strings.Join(numbers, ", ") + "]"
	for name, spec := range map[string]string{
		"an argument that grows": "entrypoint: main\ntemplates:\n" +
			"- {name: main, inputs: {parameters: [{name: p, value: a}]}, " +
			"steps: [[{name: again, template: main, arguments: {parameters: [{name: p, value: 'x{{inputs.parameters.p}}'}]}}]]}",
		"an argument that explodes": "entrypoint: main\ntemplates:\n" +
			"- {name: main, inputs: {parameters: [{name: p, value: abcdefgh}]}, " +
			"steps: [[{name: again, template: main, arguments: {parameters: [{name: p, value: '" +
			strings.Repeat("{{inputs.parameters.p}}", 200) + "'}]}}]]}",
		"a large template often": "entrypoint: main\ntemplates:\n- {name: main, steps: [[{name: a, template: big, withItems: " + items +
			", arguments: {parameters: [{name: x, value: '{{item}}-{{item}}'}]}}]]}\n" +
			"- {name: big, inputs: {parameters: [{name: x}]}, script: {image: a, source: '{{inputs.parameters.x}} " +
			strings.Repeat("x", 100_000) + "'}}",
		"templates that call double": "entrypoint: t0\ntemplates:\n" + doubling(60) + leaf,
		"many items": "entrypoint: main\ntemplates:\n" +
			"- {name: main, steps: [[{name: a, template: leaf, withItems: " + items + "}]]}\n" + leaf,
	} {
		t.Run(name, func(t *testing.T) {
			f := Workflow(workflow(t, spec), controllerOnlyFacts{}, Options{})
			if len(f.Pods) > maxVisits || len(f.Gaps) > 1 {
				t.Errorf("%d pods, %d gaps", len(f.Pods), len(f.Gaps))
			}
			if name != "templates that call double" && (len(f.Gaps) != 1 || !strings.Contains(f.Gaps[0].Reason, "MiB")) {
				t.Errorf("no gap says that a limit was reached: %v", f.Gaps)
			}
		})
	}
}

// doubling returns a chain of n templates that each call the next one twice, which makes 2^n steps.
func doubling(n int) string {
	var out strings.Builder
	for i := range n {
		next := fmt.Sprintf("t%d", i+1)
		if i == n-1 {
			next = "leaf"
		}
		fmt.Fprintf(&out, "- {name: t%d, steps: [[{name: a, template: %s}, {name: b, template: %s}]]}\n", i, next, next)
	}
	return out.String()
}
