package install

import (
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

// startLoad creates Workflows in namespace team-a once bad ones are denied there.
func startLoad(t *testing.T, c *cluster.Cluster) *cluster.Load {
	t.Helper()
	if err := c.WaitForDenial(t.Context(), "team-a", time.Minute); err != nil {
		t.Fatal(err)
	}
	load, err := cluster.StartLoad(t.Context(), c.Admin, []string{"team-a"}, 3, false)
	if err != nil {
		t.Fatal(err)
	}
	return load
}

// stopLoad ends a load, and fails the test for each call that went wrong, and if there were not many.
func stopLoad(t *testing.T, load *cluster.Load) {
	t.Helper()
	calls := load.Stop()
	t.Logf("%d Workflows were created, %d denied, %d calls failed", calls.Created, calls.Denied, len(calls.Unexpected))
	for _, err := range calls.Unexpected[:min(5, len(calls.Unexpected))] {
		t.Errorf("a call that failed: %v", err)
	}
	if len(calls.Unexpected) > 0 || calls.Expected() < 500 {
		t.Errorf("%d of %d calls failed", len(calls.Unexpected), len(calls.Unexpected)+calls.Expected())
	}
}
