package install

import (
	"testing"
	"time"
)

// TestRollingRestart replaces all pods ten times while Workflows are created and nothing may be let in unjudged: not one call may fail.
func TestRollingRestart(t *testing.T) {
	s := newSite(t)
	s.join()
	s.write("deploy/kustomization.yaml", kustomization("self-signed", "fail-closed"))
	s.must("kubectl apply -k deploy && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s")
	s.must("kubectl create namespace team-a")
	l := startLoad(t, s.Cluster)
	for range 10 {
		s.must("sleep 1; kubectl -n kfp-preflight rollout restart deployment/kfp-preflight && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=120s")
	}
	time.Sleep(15 * time.Second) // until the last ones have stopped
	check(t, l)
	s.healthy()
}
