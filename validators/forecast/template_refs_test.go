package forecast

import (
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// TestStoredTemplates prefers the templates in a Workflow's status to those in the cluster, which
// need not exist.
func TestStoredTemplates(t *testing.T) {
	wf := workflow(t,
		"entrypoint: main\ntemplates: [{name: main, steps: [[{name: a, templateRef: {name: tools, template: outer}}, "+
			"{name: b, templateRef: {name: tools, template: gone}}]]}]")
	wf.Status.StoredTemplates = map[string]wfv1.Template{
		"namespaced/tools/outer": {Name: "outer", Steps: []wfv1.ParallelSteps{{Steps: []wfv1.WorkflowStep{{Name: "c", Template: "inner"}}}}},
		"namespaced/tools/inner": {Name: "inner", Container: &corev1.Container{Image: "stored"}},
		"cluster/tools/gone":     {Name: "gone", Container: &corev1.Container{}},
	}
	f := Workflow(wf, controllerOnlyFacts{}, Options{})
	assertEqual(t, "forecast", strings.Join(summarize(f), "; "), "a/c: certain; main/b? there is no WorkflowTemplate tools")
	assertEqual(t, "image", f.Pods[0].Spec.Containers[1].Image, "stored")
}
