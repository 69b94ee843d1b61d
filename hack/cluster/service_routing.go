package cluster

import (
	"context"
	"fmt"
	"net"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refreshEndpoints reads the ready endpoints of each port of each Service.
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

// readyAddresses returns the addresses of the ready endpoints for the named port.
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

// resolve maps an address of the cluster, such as 10.244.0.7:9443, to an address of this machine. It knows
// Services, pods and the kubelet, and balances a Service over its ready pods, round robin.
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

// MetricsURLs returns the URL of the metrics of each running pod, by the pod's name. The URLs work on this
// machine.
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
