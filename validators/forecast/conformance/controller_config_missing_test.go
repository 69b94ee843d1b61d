package conformance

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

// TestControllerConfigMissing starts Argo's workflow-controller in a cluster without its ConfigMap. It exits: so a cluster that runs
// Workflows has the ConfigMap, and whoever does not find it looks in the wrong place.
func TestControllerConfigMissing(t *testing.T) {
	c, err := cluster.Start(t.Context(), "../../..")
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../../bin/workflow-controller", "--kubeconfig", filepath.Join(c.Dir, "admin.kubeconfig"),
		"--namespace", "kubeflow", "--executor-image", "argoexec")
	cmd.Env = append(cmd.Environ(), "LEADER_ELECTION_DISABLE=true")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("the controller did not exit by itself: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), `configmaps \"workflow-controller-configmap\" not found`) {
		t.Errorf("the controller exits for another reason:\n%s", out)
	}
}
