package validators_test

import (
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// clusterFor returns a cluster that has everything a payload depends on.
func clusterFor(b *testing.B, p payload.Payload) *validators.State {
	b.Helper()
	state := &validators.State{Complete: true}
	add := func(manifest string) {
		if err := state.Add([]byte(manifest), payload.Namespace); err != nil {
			b.Fatal(err)
		}
	}
	add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default-editor}}")
	add("{apiVersion: v1, kind: LimitRange, metadata: {name: defaults}, " +
		"spec: {limits: [{type: Container, defaultRequest: {cpu: 100m, memory: 100Mi}}]}}")
	add("{apiVersion: v1, kind: ResourceQuota, metadata: {name: kf-resource-quota}, " +
		"spec: {hard: {requests.cpu: 64, requests.memory: 256Gi}}}")
	for _, name := range p.Secrets {
		add("{apiVersion: v1, kind: Secret, metadata: {name: " + name + "}, data: {password: cGFzc3dvcmQ=}}")
	}
	return state
}

// eachWorkflow runs a sub-benchmark for each payload that is a Workflow.
func eachWorkflow(b *testing.B, run func(b *testing.B, p payload.Payload, wf *wfv1.Workflow)) {
	b.Helper()
	for _, p := range payload.All() {
		if p.Kind.Kind != "Workflow" {
			continue
		}
		wf, err := forecast.Decode[wfv1.Workflow](p.Allowed)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("payload="+p.Name, func(b *testing.B) {
			b.SetBytes(int64(len(p.Allowed)))
			b.ReportAllocs()
			run(b, p, wf)
		})
	}
}

// BenchmarkDecode measures forecast.Decode, which the command line and slow reviews use. Package webhook measures the fast decoder.
func BenchmarkDecode(b *testing.B) {
	eachWorkflow(b, func(b *testing.B, p payload.Payload, _ *wfv1.Workflow) {
		for b.Loop() {
			if _, err := forecast.Decode[wfv1.Workflow](p.Allowed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkForecast measures the forecast alone.
func BenchmarkForecast(b *testing.B) {
	eachWorkflow(b, func(b *testing.B, p payload.Payload, wf *wfv1.Workflow) {
		state := clusterFor(b, p)
		for b.Loop() {
			if f := forecast.Workflow(wf, state, forecast.Options{}); len(f.Pods) == 0 || len(f.Gaps) > 0 {
				b.Fatalf("%d pods, gaps %v", len(f.Pods), f.Gaps)
			}
		}
	})
}

// BenchmarkRule measures one rule at a time, including the forecast.
func BenchmarkRule(b *testing.B) {
	for _, rule := range validators.WorkflowRules() {
		b.Run("rule="+rule.ID, func(b *testing.B) {
			eachWorkflow(b, func(b *testing.B, p payload.Payload, wf *wfv1.Workflow) {
				state := clusterFor(b, p)
				only := func(id string) bool { return id == rule.ID }
				for b.Loop() {
					if findings := validators.JudgeWorkflow(wf, state, validators.Options{}, only); len(findings) > 0 {
						b.Fatal(findings[0].Message())
					}
				}
			})
		})
	}
}
