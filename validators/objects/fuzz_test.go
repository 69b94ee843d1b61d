package objects

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

func allRules(string) bool { return true }

// caseObjects returns the objects of the cases in testdata as JSON.
func caseObjects(f *testing.F) [][]byte {
	f.Helper()
	files, err := filepath.Glob("../../testdata/workflow/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var out [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			raw, err := yaml.ToJSON([]byte(document))
			if err != nil {
				f.Fatal(err)
			}
			out = append(out, raw)
		}
	}
	return out
}

// FuzzDrivers evaluates runs of KFP v2 with arbitrary JSON for KFP's drivers.
func FuzzDrivers(f *testing.F) {
	var runs []string
	for _, raw := range caseObjects(f) {
		if text := string(raw); strings.Contains(text, "system-container-driver") {
			runs = append(runs, text)
		}
	}
	if len(runs) == 0 {
		f.Fatal("no run of KFP v2 was found")
	}
	for i := range runs {
		f.Add(i, 0, `{"executorLabel":"exec-step","inputDefinitions":{"parameters":{"a":{"parameterType":"STRING","defaultValue":"b"}}}}`)
		f.Add(i, 1, `{"secretAsEnv":[{"secretName":"a","keyToEnv":[{"secretKey":"k","envVar":"E"}]}],"nodeSelector":{"labels":{"a":"b"}}}`)
		f.Add(i, 2, `{"image":"python","resources":{"cpuLimit":1,"memoryLimit":0.5,"accelerator":{"count":1,"type":"nvidia.com/gpu"}}}`)
		f.Add(i, 3, `{"componentRef":{"name":"comp-a"},`+
			`"inputs":{"parameters":{"a":{"taskOutputParameter":{"producerTask":"b","outputParameterKey":"c"}}}},`+
			`"iteratorPolicy":{"parallelismLimit":1},"parameterIterator":{"itemInput":"a","items":{"raw":"[1]"}}}`)
	}
	f.Fuzz(func(t *testing.T, run, which int, value string) {
		object := map[string]any{}
		if err := json.Unmarshal([]byte(runs[uint(run)%uint(len(runs))]), &object); err != nil {
			t.Fatal(err)
		}
		var parameters []map[string]any
		findJSONParameters(object, &parameters)
		if len(parameters) == 0 {
			t.Skip()
		}
		parameters[uint(which)%uint(len(parameters))]["value"] = value
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		evaluate(t, raw)
	})
}

// findJSONParameters collects the parameters whose value is JSON.
func findJSONParameters(in any, out *[]map[string]any) {
	switch v := in.(type) {
	case map[string]any:
		if text, ok := v["value"].(string); ok && strings.HasPrefix(text, "{\"") {
			*out = append(*out, v)
		}
		for _, key := range []string{"spec", "arguments", "parameters", "templates", "dag", "tasks"} {
			findJSONParameters(v[key], out)
		}
	case []any:
		for _, item := range v {
			findJSONParameters(item, out)
		}
	}
}

// FuzzPodSpecPatch evaluates Workflows with a podSpecPatch in the template and in the Workflow.
func FuzzPodSpecPatch(f *testing.F) {
	f.Add(
		`{"containers":[{"name":"main","resources":{"limits":{"cpu":"1"}},`+
			`"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"a","key":"b"}}}]}]}`,
		"terminationGracePeriodSeconds: 3\n",
	)
	f.Add(
		`{"$patch":"replace","containers":[{"name":"other","$patch":"delete"}]}`,
		`{"volumes":[{"name":"a","secret":{"secretName":"b"}}],"$setElementOrder/containers":[{"name":"main"}]}`,
	)
	f.Add(`{"initContainers":null,"containers":[{"$retainKeys":["image"]}]}`, `containers: [{name: "{{inputs.parameters.a}}"}]`)
	f.Fuzz(func(t *testing.T, templatePatch, workflowPatch string) {
		raw, err := json.Marshal(map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": map[string]any{"name": "run", "namespace": "team-a"},
			"spec": map[string]any{
				"entrypoint": "main", "podSpecPatch": workflowPatch,
				"templates": []any{map[string]any{"name": "main", "podSpecPatch": templatePatch, "container": map[string]any{"image": "busybox"}}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		evaluate(t, raw)
	})
}

// FuzzPipeline evaluates compiled pipelines, and texts that resemble them.
func FuzzPipeline(f *testing.F) {
	for _, folder := range []string{".", "../kfp", "../../cmd/kfp-preflight"} {
		files, err := filepath.Glob(filepath.Join(folder, "testdata", "*.yaml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for document := range strings.SplitSeq(string(text), "\n---\n") {
				if raw, err := yaml.ToJSON([]byte(document)); err == nil {
					f.Add(raw, []byte("{}"))
				}
			}
		}
	}
	f.Add(
		[]byte(`{"pipelineInfo":{"name":"p"},"schemaVersion":"2.1.0",`+
			`"root":{"dag":{"tasks":{"a":{"componentRef":{"name":"comp-a"},"taskInfo":{"name":"a"}}}}},`+
			`"components":{"comp-a":{"executorLabel":"exec-a"}},`+
			`"deploymentSpec":{"executors":{"exec-a":{"container":{"image":"python"}}}}}`),
		[]byte(`{"platforms":{"kubernetes":{"deploymentSpec":{"executors":{"exec-a":`+
			`{"secretAsVolume":[{"secretName":"s","mountPath":"/m"}]}}}}}}`),
	)
	f.Fuzz(func(t *testing.T, pipeline, platforms []byte) {
		object, err := DecodePipeline(pipeline, platforms, "team-a")
		if err != nil {
			return
		}
		object.Evaluate(&validators.State{Complete: true}, validators.Options{}, allRules)
	})
}

// evaluate evaluates an object in an empty cluster.
func evaluate(t *testing.T, raw []byte) {
	t.Helper()
	object, err := Decode(raw, "team-a")
	if err != nil || object == nil {
		return
	}
	for _, f := range object.Evaluate(&validators.State{Complete: true}, validators.Options{}, allRules) {
		if message := f.Message(); strings.ContainsAny(message, "\n\"&<>\\") {
			t.Errorf("a message with characters that do not survive on the way to the user: %s", message)
		}
	}
}
