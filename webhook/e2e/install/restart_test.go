package install

import (
	"testing"
	"time"
)

// TestRollingRestart replaces all pods ten times while Workflows are created and nothing may be let in unjudged: not one call may fail.
func TestRollingRestart(t *testing.T) {
	s := newSite(t)
	s.write("deploy/kustomization.yaml", kustomization("self-signed", "fail-closed"))
	s.must("kubectl apply -k deploy && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s")
	s.must("kubectl create namespace team-a")
	s.judged("team-a")

	l := startLoad(t, s.Admin, "team-a", 3)
	for range 10 {
		s.must("sleep 1; kubectl -n kfp-preflight rollout restart deployment/kfp-preflight && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=120s")
	}
	time.Sleep(15 * time.Second) // until the last ones have stopped
	l.stop(t)
	if n := l.sofar(); n < 1000 {
		t.Errorf("only %d calls", n)
	}
	s.healthy()
}
