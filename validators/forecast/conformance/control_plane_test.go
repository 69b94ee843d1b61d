package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

// controlPlane is a control plane with Argo's workflow-controller.
type controlPlane struct {
	cluster *cluster.Cluster
	client  client.WithWatch
	log     *bytes.Buffer // of the workflow-controller
}

// startControlPlane starts a control plane with the given objects, and a workflow-controller with
// the given configuration. Both stop when the test ends.
func startControlPlane(t *testing.T, configuration map[string]string, objects []client.Object) controlPlane {
	t.Helper()
	ctx := context.Background()
	c, err := cluster.Start(ctx, "../../..")
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, wfv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	cp := controlPlane{log: &bytes.Buffer{}, cluster: c}
	if cp.client, err = client.NewWithWatch(c.Admin, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	cp.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubeflow"}})
	cp.create(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow", Name: "workflow-controller-configmap"},
		Data:       configuration,
	})
	for _, o := range objects {
		cp.create(t, o)
	}
	cp.startController(t, c)
	return cp
}

// create creates an object unless it exists.
func (cp controlPlane) create(t *testing.T, o client.Object) {
	t.Helper()
	if err := cp.client.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

func (cp controlPlane) startController(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	cmd := exec.Command("../../../bin/workflow-controller", "--kubeconfig", filepath.Join(c.Dir, "admin.kubeconfig"),
		"--namespace", "kubeflow", "--executor-image", "argoexec", "--loglevel", "info", "--qps", "1000", "--burst", "1000",
		"--workflow-workers", "16")
	cmd.Env = append(os.Environ(), "LEADER_ELECTION_DISABLE=true", "DEFAULT_REQUEUE_TIME=100ms")
	cmd.Stdout, cmd.Stderr = cp.log, cp.log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; 'make controlplane' builds the workflow-controller", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
}

// waitUntilQuiet waits until every Workflow in a namespace is finished, or until none has made
// progress for the duration quiet, but no longer than limit. It returns the Workflows by name.
func (cp controlPlane) waitUntilQuiet(t *testing.T, namespace string, limit, quiet time.Duration) map[string]wfv1.Workflow {
	t.Helper()
	deadline := time.Now().Add(limit)
	out, last, moved := map[string]wfv1.Workflow{}, "", time.Now()
	for time.Now().Before(deadline) {
		time.Sleep(500 * time.Millisecond)
		var list wfv1.WorkflowList
		if err := cp.client.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		running, state := 0, ""
		for _, wf := range list.Items {
			out[wf.Name] = wf
			if !wf.Status.Fulfilled() {
				running++
				state += wf.Name + fmt.Sprint(len(wf.Status.Nodes), wf.Status.Progress)
			}
		}
		if state != last {
			last, moved = state, time.Now()
		}
		if running == 0 || time.Since(moved) > quiet {
			return out
		}
	}
	return out
}

// createNamespace creates a namespace with its default ServiceAccount.
func (cp controlPlane) createNamespace(t *testing.T, namespace string) {
	t.Helper()
	cp.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	cp.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}})
}

// waitFor waits until a condition holds. what describes the condition.
func (cp controlPlane) waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out waiting for %s:\n%s", what, cp.log)
		}
	}
}

// waitForCompletion waits until the Workflows have ended, or none has for ten seconds. Argo never
// ends some of those in which a step's exit handler could not be created.
func (cp controlPlane) waitForCompletion(t *testing.T, workflows []*wfv1.Workflow) {
	t.Helper()
	running := workflows
	for last := time.Now(); len(running) > 0 && time.Since(last) < 10*time.Second; time.Sleep(200 * time.Millisecond) {
		before := len(running)
		running = slices.DeleteFunc(slices.Clone(running), func(wf *wfv1.Workflow) bool {
			return cp.client.Get(t.Context(), client.ObjectKeyFromObject(wf), wf) == nil && wf.Status.Fulfilled()
		})
		if len(running) < before {
			last = time.Now()
		}
	}
}
