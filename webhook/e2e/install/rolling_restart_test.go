package install

import (
	"testing"
	"time"
)

// TestRollingRestart restarts the Deployment ten times while Workflows are created. With failurePolicy Fail, not one request
// may fail.
func TestRollingRestart(t *testing.T) {
	tc := newTestCluster(t)
	tc.addNode()
	tc.writeFile("deploy/kustomization.yaml", kustomization("self-signed", "fail-closed"))
	tc.mustRun("kubectl apply -k deploy && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s")
	tc.mustRun("kubectl create namespace team-a")
	load := startLoad(t, tc.Cluster)
	for range 10 {
		tc.mustRun("sleep 1; kubectl -n kfp-preflight rollout restart deployment/kfp-preflight")
		tc.mustRun("kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=120s")
	}
	time.Sleep(15 * time.Second) // until the last pods have stopped
	stopLoad(t, load)
	tc.checkNode()
}
