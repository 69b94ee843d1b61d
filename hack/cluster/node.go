package cluster

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Node simulates the only node of a cluster: a kubelet, and the network between the API server and
// the pods.
//
// The kubelet runs the container of each pod in the namespace of kfp-preflight as a process. It
// mounts ConfigMaps and Secrets, probes readiness and respects the grace period. The network routes
// requests from the API server to a Service to one of its ready pods. Deployments, Jobs and
// EndpointSlices are left to kube-controller-manager; see StartControllers.
type Node struct {
	// Binary is the program that runs in place of every image.
	Binary string
	// VolumeSyncInterval is how often mounted volumes are refreshed. A real kubelet takes about a minute.
	VolumeSyncInterval time.Duration
	// EndpointsDelay is how stale the endpoints are that the network routes by.
	EndpointsDelay time.Duration

	cluster       *Cluster
	api           kubernetes.Interface
	egressProxy   *egressProxy
	kubeletServer *httptest.Server
	dir           string // has a directory for each pod
	podCount      int
	kubeconfigs   map[string]string // file name by ServiceAccount

	lock         sync.Mutex
	pods         map[types.UID]*podProcess
	endpoints    map[string][]string // addresses of ready pods by address of their Service
	nextEndpoint int
	errs         []error
}

const nodeName, nodeAddress = "node", "10.244.0.1:10250"

// StartNetwork starts the network of the node. The API server needs it from its start on, so call it
// first, pass NetworkOption to Start, and pass the running cluster to Join.
func (n *Node) StartNetwork() (err error) {
	n.pods, n.kubeconfigs = map[types.UID]*podProcess{}, map[string]string{}
	n.egressProxy, err = newEgressProxy(n.resolve)
	return err
}

// NetworkOption makes a control plane use the network of the node.
func (n *Node) NetworkOption() Option { return n.egressProxy.configure }

// Join registers the node with the cluster and starts its kubelet. It runs until the cluster stops.
func (n *Node) Join(ctx context.Context, c *Cluster) (err error) {
	n.cluster, n.dir = c, filepath.Join(c.Dir, "pods")
	if n.api, err = kubernetes.NewForConfig(c.Admin); err != nil {
		return err
	}
	n.kubeletServer = httptest.NewTLSServer(http.HandlerFunc(n.serveLogs))
	host, portText, _ := net.SplitHostPort(nodeAddress)
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	node, err := n.api.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	if _, err := n.api.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { n.runEvery(ctx, 50*time.Millisecond, n.syncPods) })
	loops.Go(func() { n.runEvery(ctx, n.EndpointsDelay, n.refreshEndpoints) })
	c.cleanups = append(c.cleanups, func() error {
		cancel()
		loops.Wait()
		n.killPods()
		n.kubeletServer.Close()
		return nil
	})
	return nil
}

func (n *Node) killPods() {
	for _, p := range n.pods {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	}
}

// runEvery calls f until ctx is done, with a pause of interval in between, and records its errors.
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

// Err returns all errors of the node so far, joined. The failure of a pod that should keep running is an
// error.
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
