package validators

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// TestCorpusKFPv2 checks which Secrets the compiled pipelines of KFP need that are in the folder kfp-v2 of CORPUS. A pipeline that is not
// listed here needs none.
func TestCorpusKFPv2(t *testing.T) {
	corpus := os.Getenv("CORPUS")
	if corpus == "" {
		t.Skip("CORPUS is not set")
	}
	want := map[string][]string{
		"missing_kubernetes_optional_inputs": nil, // all three inputs are null
		"nested_parallel_for_secret":         {"for-loop-2/worker-component: {{tasks.emit-secret-name.outputs.parameters.Output}} username"},
		"parallel_for_secret":                {"for-loop-2/example-component: test-secret-1 username"},
		"pipeline_with_secret_as_env": {
			"comp: test-secret-1 username", "comp: test-secret-2 password",
			"comp: {{tasks.generate-secret-name.outputs.parameters.some_output}} password",
		},
		"pipeline_with_secret_as_volume": {"comp: test-secret-1"},
	}
	files, err := filepath.Glob(filepath.Join(corpus, "kfp-v2", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Workflows in %s: %v", corpus, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		wf, err := forecast.DecodeYAML[wfv1.Workflow](text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		fc := forecast.Workflow(wf, &State{Complete: true}, forecast.Options{})
		var got []string
		for i := range fc.Pods {
			pod := &fc.Pods[i]
			for _, d := range Dependencies(pod) {
				if d.Kind != Secret {
					continue
				}
				steps, keys := strings.Join(pod.Origin.Steps, ","), strings.Join(d.Keys, ",")
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s: %s %s", steps, d.Name, keys)))
				if pod.Origin.Certainty != Certain {
					t.Errorf("%s: the step is %s, not certain", name, pod.Origin.Certainty)
				}
			}
		}
		if name == "mounted_cabundle_secret" {
			continue // every driver and step mounts the installation's CA
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s needs %q, want %q", name, got, want[name])
		}
		for _, g := range fc.Gaps {
			t.Errorf("%s: the forecast has a gap: %s", name, g.Reason)
		}
	}
}
