package install

import (
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

// startLoad waits until the webhook denies a bad Workflow in the namespace team-a, and then starts to create Workflows there.
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

// stopLoad stops the load. It fails the test if a request had an unexpected result, or if there were too few requests.
func stopLoad(t *testing.T, load *cluster.Load) {
	t.Helper()
	calls := load.Stop()
	t.Logf("%d Workflows were created and %d denied; %d requests failed", calls.Created, calls.Denied, len(calls.Unexpected))
	for _, err := range calls.Unexpected[:min(5, len(calls.Unexpected))] {
		t.Errorf("a request failed: %v", err)
	}
	if len(calls.Unexpected) > 0 || calls.Expected() < 500 {
		t.Errorf("%d of %d requests failed", len(calls.Unexpected), len(calls.Unexpected)+calls.Expected())
	}
}
