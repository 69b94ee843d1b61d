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

// TestCorpusKFPv2 holds the Secrets that are found in KFP's own compiled pipelines, in the folder kfp-v2 of CORPUS, to what a
// reader finds in them. A pipeline that is not listed here needs none.
func TestCorpusKFPv2(t *testing.T) {
	corpus := os.Getenv("CORPUS")
	if corpus == "" {
		t.Skip("CORPUS is not set")
	}
	want := map[string][]string{
		"missing_kubernetes_optional_inputs": nil, // null, all three
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
			for _, use := range Dependencies(pod) {
				if use.Kind != Secret {
					continue
				}
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s: %s %s", strings.Join(pod.Origin.Steps, ","), use.Name, strings.Join(use.Keys, ","))))
				if pod.Origin.Certainty != Certain {
					t.Errorf("%s: the step is %s, not certain", name, pod.Origin.Certainty)
				}
			}
		}
		if name == "mounted_cabundle_secret" {
			continue // the CA of the installation, in every driver and step
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s needs %q, want %q", name, got, want[name])
		}
		for _, g := range fc.Gaps {
			t.Errorf("%s: a gap: %s", name, g.Reason)
		}
	}
}
