// Package install tests what an admin does with kfp-preflight: install it in each of the ways that are shipped, roll it out by the
// documentation, and replace its pods and certificates while the cluster is in use.
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

// binDir is a folder with kfp-preflight, and the kubectl of the control plane.
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

// testCluster is a cluster, an admin's shell with a copy of what the repository ships, and a node.
type testCluster struct {
	*cluster.Cluster
	t    *testing.T
	node *cluster.Node
	api  kubernetes.Interface
	dir  string
}

// newTestCluster starts a cluster with Argo's and Kubeflow's types and namespaces, nothing of kfp-preflight, and no node.
func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	s := &testCluster{t: t, dir: t.TempDir(), node: &cluster.Node{
		Binary: filepath.Join(binDir, "kfp-preflight"), VolumeSyncInterval: time.Second, EndpointsDelay: 500 * time.Millisecond,
	}}
	if err := s.node.StartNetwork(); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Start(t.Context(), repoRoot, s.node.NetworkOption())
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Cluster = c
	if s.api, err = kubernetes.NewForConfig(c.Admin); err != nil {
		t.Fatal(err)
	}
	if err := c.StartControllers("deployment-controller", "replicaset-controller", "endpointslice-controller", "job-controller",
		"serviceaccount-controller", "namespace-controller"); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"manifests", "testdata"} {
		if err := os.CopyFS(filepath.Join(s.dir, folder), os.DirFS(filepath.Join(repoRoot, folder))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(mustAbs(t, c.Kubectl()), filepath.Join(s.dir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	s.mustRun("kubectl create namespace kubeflow && kubectl -n kubeflow create configmap workflow-controller-configmap")
	return s
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// addNode adds the node. Without it pods are asked for, and never run.
func (s *testCluster) addNode() {
	s.t.Helper()
	if err := s.node.Join(s.t.Context(), s.Cluster); err != nil {
		s.t.Fatal(err)
	}
}

// shell runs a command as the admin, where the copy of the repository is.
func (s *testCluster) shell(command string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), "bash", "-uo", "pipefail", "-c", command)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+mustAbs(s.t, filepath.Join(s.Dir, "admin.kubeconfig")), "PATH="+s.dir+":"+binDir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *testCluster) mustRun(command string) string {
	s.t.Helper()
	out, err := s.shell(command)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// writeFile writes a file of the admin.
func (s *testCluster) writeFile(file, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// kustomization is what an admin writes to install an overlay with components.
func kustomization(overlay string, components ...string) string {
	out := "resources: [../manifests/overlays/" + overlay + "]\n"
	if len(components) > 0 {
		out += "components: [../manifests/components/" + strings.Join(components, ", ../manifests/components/") + "]\n"
	}
	return out
}

// checkNode fails the test if a pod has ended by itself, or the node was in trouble otherwise.
func (s *testCluster) checkNode() {
	s.t.Helper()
	if err := s.node.Err(); err != nil {
		s.t.Error(err)
	}
}
