package install

import (
	"testing"
	"time"
)

// TestRollingRestart replaces all pods ten times while Workflows are created and nothing may be let in unjudged: not one call may fail.
func TestRollingRestart(t *testing.T) {
	s := newTestCluster(t)
	s.addNode()
	s.writeFile("deploy/kustomization.yaml", kustomization("self-signed", "fail-closed"))
	s.mustRun("kubectl apply -k deploy && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s")
	s.mustRun("kubectl create namespace team-a")
	l := startLoad(t, s.Cluster)
	for range 10 {
		s.mustRun("sleep 1; kubectl -n kfp-preflight rollout restart deployment/kfp-preflight && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=120s")
	}
	time.Sleep(15 * time.Second) // until the last ones have stopped
	stopLoad(t, l)
	s.checkNode()
}
