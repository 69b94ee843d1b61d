package forecast

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// TestHostile has Workflows under the API server's limit of 3 MiB that would cost more than anybody wants to pay. Each says
// what it costs; a bound that is gone makes the test run into its time limit.
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
