package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// fakeKubelet completes pods and records the pods that the controller created.
type fakeKubelet struct {
	controlPlane controlPlane
	lock         sync.Mutex
	pods         map[string][]corev1.Pod // by Workflow
	kfp          map[string]*kfp.Run     // by Workflow; what its drivers have put out
}

// startFakeKubelet starts a fakeKubelet for a namespace, which runs until ctx is done.
func (cp controlPlane) startFakeKubelet(t *testing.T, ctx context.Context, namespace string) *fakeKubelet {
	t.Helper()
	k := &fakeKubelet{controlPlane: cp, pods: map[string][]corev1.Pod{}, kfp: map[string]*kfp.Run{}}
	// The API server may end a watch, in particular on a busy machine. The next watch starts with
	// all existing pods.
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

// podsOf returns the pods of a Workflow.
func (k *fakeKubelet) podsOf(workflow string) []corev1.Pod {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.pods[workflow]
}

// complete reports outputs for the pod, as its wait container would, and then its success. A daemon
// keeps running.
func (k *fakeKubelet) complete(ctx context.Context, pod *corev1.Pod) error {
	tmpl := templateOf(pod)
	if pod.Annotations["workflows.argoproj.io/node-id"] == "" {
		return nil // the agent pod runs as long as the Workflow
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

// outputsFor returns values for all outputs of a template.
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

// atRunTime replaces every name that is known only at run time.
const atRunTime = "known-at-run-time"

var tag = regexp.MustCompile(`\{\{.*?\}\}`)

// runDriver acts as KFP's driver if the pod is one. It gets the arguments that Argo has resolved,
// and sets the driver's outputs, with atRunTime for everything that is not known before the run.
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
	for i, arg := range args { // restore the tags of the paths that Argo has filled in
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
	known := run.DriverOutputs(args)
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

// templateOf returns the template that the controller stored in the pod for its executor, or nil.
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
