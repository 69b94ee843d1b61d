package forecast

import (
	"strings"
	"testing"
)

// TestDeadline has the pod's deadline for each way of setting one.
func TestDeadline(t *testing.T) {
	for set, want := range map[string]int64{
		"":                                    0,
		"activeDeadlineSeconds: 60, ":         60,
		"activeDeadlineSeconds: 9000, ":       600, // what is left of the Workflow's
		"activeDeadlineSeconds: '{{x}}', ":    0,
		"timeout: 2h, ":                       7200, // takes the place of any other
		"timeout: '{{x}}', ":                  600,
		"activeDeadlineSeconds: 5, debug: 1,": 0,
	} {
		workflowDeadline := "activeDeadlineSeconds: 600\n"
		if set == "" {
			workflowDeadline = ""
		}
		env := ""
		if strings.Contains(set, "debug") {
			set, env = "activeDeadlineSeconds: 5, ", ", env: [{name: ARGO_DEBUG_PAUSE_AFTER, value: 'true'}]"
		}
		spec := Workflow(workflow(t, "entrypoint: main\n"+workflowDeadline+"templates: [{name: main, "+set+"container: {image: a"+env+"}}]"),
			controllerOnlyFacts{}, Options{}).Pods[0].Spec
		var got int64
		if spec.ActiveDeadlineSeconds != nil {
			got = *spec.ActiveDeadlineSeconds
		}
		assertEqual(t, set, got, want)
	}
}
