package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Node is a machine of the cluster, and its network. Its kubelet runs the container of each pod in the namespace of kfp-preflight as a
// process, with the mounted ConfigMaps and Secrets, probes, and a grace period at the end; its network brings what the API server sends
// to a Service to a ready pod. Deployments, Jobs and endpoints are the kube-controller-manager's business.
type Node struct {
	// Binary runs in place of every image.
	Binary string
	// VolumeSyncInterval is how often mounted volumes are brought up to date; a kubelet does it once a minute.
	VolumeSyncInterval time.Duration
	// EndpointsDelay is how old the endpoints are that the network goes by.
	EndpointsDelay time.Duration

	cluster       *Cluster
	api           kubernetes.Interface
	egressProxy   *egressProxy
	kubeletServer *httptest.Server
	dir           string
	podCount      int
	// kubeconfigs by ServiceAccount.
	kubeconfigs map[string]string

	lock sync.Mutex
	pods map[types.UID]*podProcess
	// endpoints has the addresses of ready pods by the address of the Service.
	endpoints    map[string][]string
	nextEndpoint int
	errs         []error
}

const nodeName, nodeAddress = "node", "10.244.0.1:10250"

// StartNetwork starts the network, which the API server needs from its start on: pass Option to Start, and the cluster to Join.
func (n *Node) StartNetwork() (err error) {
	n.pods, n.kubeconfigs = map[types.UID]*podProcess{}, map[string]string{}
	n.egressProxy, err = newEgressProxy(n.resolve)
	return err
}

// NetworkOption makes a control plane use the node's network.
func (n *Node) NetworkOption() Option { return n.egressProxy.configure }

// Join makes the node one of the cluster, until the cluster stops.
func (n *Node) Join(ctx context.Context, c *Cluster) (err error) {
	n.cluster, n.dir = c, filepath.Join(c.Dir, "pods")
	if n.api, err = kubernetes.NewForConfig(c.Admin); err != nil {
		return err
	}
	n.kubeletServer = httptest.NewTLSServer(http.HandlerFunc(n.serveLogs))
	host, port, _ := net.SplitHostPort(nodeAddress)
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	node, err := n.api.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
	if _, err := n.api.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { n.runEvery(ctx, 50*time.Millisecond, n.syncPods) })
	running.Go(func() { n.runEvery(ctx, n.EndpointsDelay, n.refreshEndpoints) })
	c.cleanups = append(c.cleanups, func() error {
		cancel()
		running.Wait()
		n.killPods()
		return nil
	})
	return nil
}

// killPods ends what runs.
func (n *Node) killPods() {
	for _, p := range n.pods {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	}
	n.kubeletServer.Close()
}

// kubeconfig of a ServiceAccount. It is written once, because others may be reading it.
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

// Err are what went wrong: processes that ended by themselves, among others.
func (n *Node) Err() error {
	n.lock.Lock()
	defer n.lock.Unlock()
	return errors.Join(n.errs...)
}

func (n *Node) recordError(err error) {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.errs = append(n.errs, err)
}

func (n *Node) runEvery(ctx context.Context, interval time.Duration, f func(context.Context) error) {
	for ctx.Err() == nil {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			n.recordError(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

// syncPods does for each pod what it is due.
func (n *Node) syncPods(ctx context.Context) error {
	list, err := n.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		spec := &list.Items[i]
		p := n.pods[spec.UID]
		if p == nil {
			if p, err = n.newPod(spec); err != nil {
				return err
			}
			n.lock.Lock()
			n.pods[spec.UID] = p
			n.lock.Unlock()
		}
		p.object = spec
		if err := p.advance(ctx); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("pod %s: %w", spec.Name, err)
		}
	}
	return nil
}

// advance brings a pod further on its way: scheduled, started, ready or not, stopped, gone.
func (p *podProcess) advance(ctx context.Context) error {
	pods := p.node.api.CoreV1().Pods(namespace)
	switch {
	case p.object.Spec.NodeName == "":
		return pods.Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: p.object.Name, Namespace: namespace, UID: p.object.UID}, Target: corev1.ObjectReference{Kind: "Node", Name: nodeName},
		}, metav1.CreateOptions{})
	case p.object.DeletionTimestamp != nil:
		if p.stop(); p.hasExited() {
			return pods.Delete(ctx, p.object.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(p.object.UID))})
		}
	case p.cmd == nil:
		if err := p.syncVolumes(ctx); err != nil {
			return err // a volume that is not there yet
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

// runningStatus is the status of a pod whose process runs.
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

// exitStatus is the status of a pod whose process has ended by itself.
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

// updateStatus writes a status that is another than the one before.
func (p *podProcess) updateStatus(ctx context.Context, status corev1.PodStatus) error {
	if fmt.Sprint(status) == fmt.Sprint(p.status) {
		return nil
	}
	if status.Phase == corev1.PodFailed && p.object.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		text, _ := os.ReadFile(p.logFile())
		p.node.recordError(fmt.Errorf("pod %s has ended: %s", p.object.Name, text[max(0, len(text)-3000):]))
	}
	updated := p.object.DeepCopy()
	updated.Status = status
	if _, err := p.node.api.CoreV1().Pods(namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{}); err != nil {
		return err
	}
	p.status = status
	return nil
}

// refreshEndpoints learns which pods are behind which Service.
func (n *Node) refreshEndpoints(ctx context.Context) error {
	services, err := n.api.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	slices, err := n.api.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	endpoints := map[string][]string{}
	for _, service := range services.Items {
		for _, port := range service.Spec.Ports {
			serviceAddress := net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(int(port.Port)))
			for _, slice := range slices.Items {
				if slice.Labels[discoveryv1.LabelServiceName] == service.Name {
					endpoints[serviceAddress] = append(endpoints[serviceAddress], readyAddresses(slice, port.Name)...)
				}
			}
		}
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	n.endpoints = endpoints
	return nil
}

func readyAddresses(slice discoveryv1.EndpointSlice, port string) (out []string) {
	for _, p := range slice.Ports {
		for _, endpoint := range slice.Endpoints {
			if *p.Name == port && *endpoint.Conditions.Ready {
				out = append(out, net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(int(*p.Port))))
			}
		}
	}
	return out
}

// MetricsURLs is where the metrics of each running pod are on this machine, by the pod's name.
func (n *Node) MetricsURLs() map[string]string {
	n.lock.Lock()
	defer n.lock.Unlock()
	out := map[string]string{}
	for _, p := range n.pods {
		if p.cmd != nil && !p.hasExited() {
			out[p.object.Name] = fmt.Sprintf("http://127.0.0.1:%d/metrics", p.ports[8080])
		}
	}
	return out
}

// resolve turns the address of a Service, one after the other of its pods, or of the kubelet, into one of this machine.
func (n *Node) resolve(address string) (string, error) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if address == nodeAddress {
		return n.kubeletServer.Listener.Addr().String(), nil
	}
	if ready := n.endpoints[address]; len(ready) > 0 {
		n.nextEndpoint++
		address = ready[n.nextEndpoint%len(ready)]
	}
	for _, p := range n.pods {
		for port, localPort := range p.ports {
			if address == net.JoinHostPort(p.ip, strconv.Itoa(int(port))) {
				return net.JoinHostPort("127.0.0.1", strconv.Itoa(localPort)), nil
			}
		}
	}
	return "", fmt.Errorf("nothing is at %s", address)
}

// serveLogs answers kubectl logs, as far as it needs to: /containerLogs/NAMESPACE/POD/CONTAINER.
func (n *Node) serveLogs(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, filepath.Join(n.dir, filepath.Base(parts[2]), "log"))
}
