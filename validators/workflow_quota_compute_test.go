package validators

import (
	"fmt"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// TestWorkflowQuotaFacts judges Workflows where facts that the rule needs can't be read.
func TestWorkflowQuotaFacts(t *testing.T) {
	const (
		podLevel = `podSpecPatch: '{"resources": {"requests": {"cpu": "100m"}}}', container: {image: a, resources: {requests: {cpu: 1}}}`
		plain    = "container: {image: a}"
	)
	for name, test := range map[string]struct {
		unreadable, version string
		spec, template      string
		scopes              string // of each quota
		metadata            string // of each quota, after its name
		quotas              int
		want                string
	}{
		"old version drops the pod's resources": {version: "v1.33.5-gke.1", template: podLevel},
		"new version uses the pod's resources":  {version: "v1.34.0", template: podLevel, want: "certain workflow-quota-compute"},
		"pod's resources, version unknown":      {template: podLevel, want: "possible workflow-quota-compute"},
		"PriorityClasses unreadable": {
			unreadable: "PriorityClass", template: plain, quotas: 1,
			scopes: "[{scopeName: PriorityClass, operator: NotIn, values: [low]}]", want: "possible workflow-quota-compute",
		},
		"PriorityClasses unreadable, the pod names one": {
			unreadable: "PriorityClass", spec: "podPriorityClassName: high,", template: plain, quotas: 1,
			scopes: "[{scopeName: PriorityClass, operator: In, values: [high]}]", want: "certain workflow-quota-compute",
		},
		"quotas unreadable":      {unreadable: "ResourceQuota", template: plain, quotas: 1, want: "unknown workflow-quota-compute"},
		"quota being deleted":    {template: plain, quotas: 1, metadata: ", deletionTimestamp: '2026-01-01T00:00:00Z'"},
		"LimitRanges unreadable": {unreadable: "LimitRange", template: plain, quotas: 1, want: "unknown workflow-quota-compute"},
		"more than maxFindings": {
			template: plain, quotas: 22,
			want: strings.Repeat("certain workflow-quota-compute, ", 20) + "unknown workflow-quota-compute",
		},
	} {
		t.Run(name, func(t *testing.T) {
			facts := &partialFacts{State: State{Complete: true}, unreadable: test.unreadable, version: test.version}
			for i := range test.quotas {
				q := fmt.Sprintf("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q%d, namespace: team-a%s}, "+
					"spec: {hard: {cpu: 1}, scopeSelector: {matchExpressions: %s}}}", i, test.metadata, test.scopes)
				if err := facts.Add([]byte(q), ""); err != nil {
					t.Fatal(err)
				}
			}
			manifest := fmt.Sprintf("{metadata: {name: a, namespace: team-a}, "+
				"spec: {entrypoint: main, %s templates: [{name: main, %s}]}}", test.spec, test.template)
			wf, err := forecast.DecodeYAML[wfv1.Workflow]([]byte(manifest))
			if err != nil {
				t.Fatal(err)
			}
			only := func(rule string) bool { return rule == WorkflowQuotaCompute }
			got := summarize(JudgeWorkflow(wf, facts, Options{}, only))
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
