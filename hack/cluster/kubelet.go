package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// syncPods is one pass of the kubelet: it advances each pod by one step.
func (n *Node) syncPods(ctx context.Context) error {
	list, err := n.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		object := &list.Items[i]
		p := n.pods[object.UID]
		if p == nil {
			if p, err = n.newPodProcess(object); err != nil {
				return err
			}
			n.lock.Lock()
			n.pods[object.UID] = p
			n.lock.Unlock()
		}
		p.object = object
		if err := p.advance(ctx); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("pod %s: %w", object.Name, err)
		}
	}
	return nil
}

// advance takes the next step in the life of a pod: bind it to the node, start it, report its status, stop it,
// delete it.
func (p *podProcess) advance(ctx context.Context) error {
	pods := p.node.api.CoreV1().Pods(namespace)
	switch {
	case p.object.Spec.NodeName == "":
		return pods.Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: p.object.Name, Namespace: namespace, UID: p.object.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
		}, metav1.CreateOptions{})
	case p.object.DeletionTimestamp != nil:
		if p.stop(); p.hasExited() {
			return pods.Delete(ctx, p.object.Name, metav1.DeleteOptions{
				GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(p.object.UID)),
			})
		}
	case p.cmd == nil:
		if err := p.syncVolumes(ctx); err != nil {
			return err // a Secret or ConfigMap may not exist yet
		}
		if err := p.start(ctx); err != nil {
			return err
		}
	case p.hasExited():
		return p.updateStatus(ctx, p.exitStatus())
	default:
		if err := p.syncVolumes(ctx); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return p.updateStatus(ctx, p.runningStatus())
}

// runningStatus returns the status of a pod whose process runs.
func (p *podProcess) runningStatus() corev1.PodStatus {
	ready := corev1.ConditionFalse
	if p.cmd != nil && p.checkReadiness() == nil {
		ready = corev1.ConditionTrue
	}
	name := p.object.Spec.Containers[0].Name
	return corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}}, HostIP: strings.Split(nodeAddress, ":")[0],
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}, {Type: corev1.ContainersReady, Status: ready}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: name, Ready: ready == corev1.ConditionTrue, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}},
	}
}

// exitStatus returns the status of a pod whose process exited on its own.
func (p *podProcess) exitStatus() corev1.PodStatus {
	status, code := p.runningStatus(), p.cmd.ProcessState.ExitCode()
	status.Phase = corev1.PodSucceeded
	if code != 0 {
		status.Phase = corev1.PodFailed
	}
	status.Conditions = nil
	status.ContainerStatuses[0].Ready = false
	status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: int32(code)}}
	return status
}

// updateStatus writes the status if it changed, and records an error if the pod failed but should keep running.
func (p *podProcess) updateStatus(ctx context.Context, status corev1.PodStatus) error {
	if fmt.Sprint(status) == fmt.Sprint(p.status) {
		return nil
	}
	if status.Phase == corev1.PodFailed && p.object.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		text, _ := os.ReadFile(p.logFile())
		p.node.recordError(fmt.Errorf("pod %s failed: %s", p.object.Name, text[max(0, len(text)-3000):]))
	}
	updated := p.object.DeepCopy()
	updated.Status = status
	if _, err := p.node.api.CoreV1().Pods(namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{}); err != nil {
		return err
	}
	p.status = status
	return nil
}

// kubeconfig returns the kubeconfig file of a ServiceAccount. It writes the file only once, because running
// processes may be reading it.
func (n *Node) kubeconfig(ctx context.Context, serviceAccount string) (string, error) {
	if file, ok := n.kubeconfigs[serviceAccount]; ok {
		return file, nil
	}
	file, err := n.cluster.Kubeconfig(ctx, serviceAccount)
	if err == nil {
		n.kubeconfigs[serviceAccount] = file
	}
	return file, err
}

// serveLogs implements the part of the kubelet API that kubectl logs needs:
// /containerLogs/NAMESPACE/POD/CONTAINER.
func (n *Node) serveLogs(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, filepath.Join(n.dir, filepath.Base(parts[2]), "log"))
}
