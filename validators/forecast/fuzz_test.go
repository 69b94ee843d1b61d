package forecast

import (
	"os"
	"path/filepath"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// FuzzWorkflow forecasts whatever decodes as a Workflow. It must not panic or exceed the limits.
func FuzzWorkflow(f *testing.F) {
	files, err := filepath.Glob("../../testdata/workflow/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := yaml.ToJSON(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		wf, err := Decode[wfv1.Workflow](raw)
		if err != nil {
			return
		}
		forecast := Workflow(wf, controllerOnlyFacts{}, Options{})
		if len(forecast.Pods) > maxVisits {
			t.Errorf("%d pods", len(forecast.Pods))
		}
		for _, p := range forecast.Pods {
			if len(p.Origin.Steps) == 0 || p.Origin.Certainty == Unknown {
				t.Errorf("a pod without a step or a certainty: %+v", p.Origin)
			}
			_ = p.EnvPath(MainContainer, "a", inside)
			_ = p.VolumePath("a", inside)
		}
	})
}
