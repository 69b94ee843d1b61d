// Package install tests the tasks of an admin: install kfp-preflight with each overlay, roll it out as the documentation says, and
// replace its pods and certificates while the cluster is in use.
package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

const repoRoot = "../../.."

// binDir is a directory that contains the program kfp-preflight.
var binDir string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctrl.SetLogger(logr.Discard())
	if binDir, err = os.MkdirTemp("", "kfp-preflight-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(binDir) }()
	build := exec.Command("go", "build", "-o", binDir, "./cmd/kfp-preflight")
	build.Dir = repoRoot
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w\n%s", err, out)
	}
	return m.Run(), nil
}

// testCluster is a cluster with a node, and a directory in which an admin works: it has kubectl and copies of the manifests and
// testdata.
type testCluster struct {
	*cluster.Cluster
	t    *testing.T
	node *cluster.Node
	api  kubernetes.Interface
	dir  string
}

// newTestCluster starts a cluster with the CRDs of Argo and Kubeflow and the namespace kubeflow, but without kfp-preflight and
// without a node; see addNode.
func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	tc := &testCluster{t: t, dir: t.TempDir(), node: &cluster.Node{
		Binary: filepath.Join(binDir, "kfp-preflight"), VolumeSyncInterval: time.Second, EndpointsDelay: 500 * time.Millisecond,
	}}
	if err := tc.node.StartNetwork(); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Start(t.Context(), repoRoot, tc.node.NetworkOption())
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	tc.Cluster = c
	if tc.api, err = kubernetes.NewForConfig(c.Admin); err != nil {
		t.Fatal(err)
	}
	if err := c.StartControllers("deployment-controller", "replicaset-controller", "endpointslice-controller", "job-controller",
		"serviceaccount-controller", "namespace-controller"); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"manifests", "testdata"} {
		if err := os.CopyFS(filepath.Join(tc.dir, folder), os.DirFS(filepath.Join(repoRoot, folder))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(mustAbs(t, c.Kubectl()), filepath.Join(tc.dir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	tc.mustRun("kubectl create namespace kubeflow && kubectl -n kubeflow create configmap workflow-controller-configmap")
	return tc
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// addNode adds the node. Without it, pods stay pending.
func (tc *testCluster) addNode() {
	tc.t.Helper()
	if err := tc.node.Join(tc.t.Context(), tc.Cluster); err != nil {
		tc.t.Fatal(err)
	}
}

// shell runs a command as cluster admin in the admin's directory, and returns its output.
func (tc *testCluster) shell(command string) (string, error) {
	cmd := exec.CommandContext(tc.t.Context(), "bash", "-uo", "pipefail", "-c", command)
	cmd.Dir = tc.dir
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+mustAbs(tc.t, filepath.Join(tc.Dir, "admin.kubeconfig")), "PATH="+tc.dir+":"+binDir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustRun is shell for commands that must succeed.
func (tc *testCluster) mustRun(command string) string {
	tc.t.Helper()
	out, err := tc.shell(command)
	if err != nil {
		tc.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// writeFile writes a file in the admin's directory.
func (tc *testCluster) writeFile(file, text string) {
	tc.t.Helper()
	path := filepath.Join(tc.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tc.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tc.t.Fatal(err)
	}
}

// kustomization returns the kustomization.yaml with which an admin installs an overlay with components.
func kustomization(overlay string, components ...string) string {
	out := "resources: [../manifests/overlays/" + overlay + "]\n"
	if len(components) > 0 {
		out += "components: [../manifests/components/" + strings.Join(components, ", ../manifests/components/") + "]\n"
	}
	return out
}

// checkNode fails the test if a pod failed or the node had any other error.
func (tc *testCluster) checkNode() {
	tc.t.Helper()
	if err := tc.node.Err(); err != nil {
		tc.t.Error(err)
	}
}
