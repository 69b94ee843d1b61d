// Package conformance holds the forecast to Argo's own workflow-controller: it submits Workflows to a real API server
// with the real controller, lets a stand-in for the kubelet complete the pods so that later steps start, and compares the
// pods that the controller created with those that were forecast.
package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
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
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// controlPlane is a control plane with Argo's workflow-controller.
type controlPlane struct {
	client client.WithWatch
	log    *bytes.Buffer
	// cluster that they are of.
	cluster *cluster.Cluster
}

// startControlPlane starts a control plane with the given objects, and the controller with the given configuration, until the test ends.
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
	cp.create(t,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kubeflow", Name: "workflow-controller-configmap"}, Data: configuration})
	for _, o := range objects {
		cp.create(t, o)
	}
	cp.startController(t, c)
	return cp
}

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

// fakeKubelet completes pods until ctx is done, and keeps what the controller asked for.
type fakeKubelet struct {
	controlPlane controlPlane
	lock         sync.Mutex
	pods         map[string][]corev1.Pod // by Workflow
	kfp          map[string]*kfp.Run     // by Workflow, for what its drivers know of each other
}

func (cp controlPlane) startFakeKubelet(t *testing.T, ctx context.Context, namespace string) *fakeKubelet {
	t.Helper()
	k := &fakeKubelet{controlPlane: cp, pods: map[string][]corev1.Pod{}, kfp: map[string]*kfp.Run{}}
	// The API server ends a watch that is not read fast enough, and some on a busy machine. The next one begins with all pods there are.
	created := make(chan *corev1.Pod, 10_000)
	go func() {
		defer close(created)
		for seen := map[string]bool{}; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			watch, err := cp.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
			if err != nil {
				continue
			}
			for event := range watch.ResultChan() {
				if pod, ok := event.Object.(*corev1.Pod); ok && !seen[pod.Name] {
					seen[pod.Name] = true
					created <- pod
				}
			}
		}
	}()
	go func() {
		for pod := range created {
			k.lock.Lock()
			workflow := pod.Labels["workflows.argoproj.io/workflow"]
			k.pods[workflow] = append(k.pods[workflow], *pod.DeepCopy())
			k.lock.Unlock()
			if err := k.complete(ctx, pod); err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
				fmt.Fprintln(os.Stderr, "kubelet:", err)
			}
		}
	}()
	return k
}

func (k *fakeKubelet) podsOf(workflow string) []corev1.Pod {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.pods[workflow]
}

// complete reports outputs for the pod as its wait container would, and then that it has succeeded; a daemon goes on
// running.
func (k *fakeKubelet) complete(ctx context.Context, pod *corev1.Pod) error {
	tmpl := templateOf(pod)
	if pod.Annotations["workflows.argoproj.io/node-id"] == "" {
		return nil // the agent, which runs as long as the Workflow
	}
	result := &wfv1.WorkflowTaskResult{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Annotations["workflows.argoproj.io/node-id"],
			Labels: map[string]string{
				"workflows.argoproj.io/workflow":                 pod.Labels["workflows.argoproj.io/workflow"],
				"workflows.argoproj.io/report-outputs-completed": "true",
			},
		},
		NodeResult: wfv1.NodeResult{Outputs: outputsFor(tmpl)},
	}
	if err := k.runDriver(pod, tmpl, result.Outputs); err != nil {
		return err
	}
	if err := k.controlPlane.client.Create(ctx, result); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	status := corev1.PodStatus{Phase: corev1.PodSucceeded, PodIP: "10.0.0.1"}
	state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0}}
	if tmpl != nil && tmpl.IsDaemon() {
		status.Phase, state = corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, State: state, Ready: true})
	}
	pod.Status = status
	return k.controlPlane.client.Status().Update(ctx, pod)
}

// outputsFor are values for everything that the template promises.
func outputsFor(tmpl *wfv1.Template) *wfv1.Outputs {
	zero, result := "0", "[1, 2]"
	out := &wfv1.Outputs{ExitCode: &zero, Result: &result}
	if tmpl == nil {
		return out
	}
	for _, p := range tmpl.Outputs.Parameters {
		p.Value = wfv1.AnyStringPtr("[1, 2]")
		out.Parameters = append(out.Parameters, p)
	}
	for _, a := range tmpl.Outputs.Artifacts {
		if !a.HasLocation() {
			a.S3 = &wfv1.S3Artifact{Key: "key"}
		}
		out.Artifacts = append(out.Artifacts, a)
	}
	if tmpl.ArchiveLocation.IsArchiveLogs() {
		out.Artifacts = append(out.Artifacts,
			wfv1.Artifact{Name: "main-logs", ArtifactLocation: wfv1.ArtifactLocation{S3: &wfv1.S3Artifact{Key: "logs"}}})
	}
	return out
}

// atRunTime stands for every name that only the run can give.
const atRunTime = "known-at-run-time"

var tag = regexp.MustCompile(`\{\{.*?\}\}`)

// runDriver does the work of KFP's driver, if the pod is one: it is given the arguments that Argo has resolved, and puts out what
// the run has to give for everything that can't be known before.
func (k *fakeKubelet) runDriver(pod *corev1.Pod, tmpl *wfv1.Template, out *wfv1.Outputs) error {
	var args []string
	for _, c := range pod.Spec.Containers {
		if c.Name == forecast.MainContainer {
			args = slices.Clone(c.Args)
		}
	}
	if tmpl == nil || !slices.Contains(args, "--pipeline_name") && !slices.Contains(args, "--dag_execution_id") {
		return nil
	}
	for i, arg := range args { // the paths, which Argo has filled in
		for _, p := range tmpl.Outputs.Parameters {
			if p.ValueFrom != nil && p.ValueFrom.Path == arg {
				args[i] = "{{outputs.parameters." + p.Name + ".path}}"
			}
		}
	}
	workflow := pod.Labels["workflows.argoproj.io/workflow"]
	if k.kfp[workflow] == nil {
		k.kfp[workflow] = &kfp.Run{}
	}
	run := k.kfp[workflow]
	known := run.Driver(args)
	for i := range out.Parameters {
		p := &out.Parameters[i]
		value, ok := known[p.Name]
		patch, isPatch := run.Patch(value)
		switch {
		case isPatch:
			text, err := json.Marshal(patch.Spec)
			if err != nil {
				return err
			}
			value = tag.ReplaceAllString(string(text), atRunTime)
		case ok:
		case p.Name == "iteration-count":
			value = "2"
		case p.Name == "condition":
			value = "true"
		}
		p.Value = wfv1.AnyStringPtr(value)
	}
	return nil
}

// templateOf is the template that the controller wrote into the pod for its executor.
func templateOf(pod *corev1.Pod) *wfv1.Template {
	for _, c := range pod.Spec.InitContainers {
		for _, e := range c.Env {
			if e.Name != "ARGO_TEMPLATE" {
				continue
			}
			var tmpl wfv1.Template
			if json.Unmarshal([]byte(e.Value), &tmpl) == nil {
				return &tmpl
			}
		}
	}
	return nil
}

// waitUntilQuiet waits until every Workflow is finished, or has not moved for quiet.
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
