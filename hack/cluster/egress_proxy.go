package cluster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// egressSelectorConfig makes the API server connect to Services and kubelets through a proxy on a Unix socket.
const egressSelectorConfig = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
  - name: cluster
    connection:
      proxyProtocol: HTTPConnect
      transport:
        uds:
          udsName: %s
`

// egressProxy is the network between the API server and a node: an HTTP CONNECT proxy that maps addresses
// of the cluster to addresses of this machine.
type egressProxy struct {
	dir      string
	listener net.Listener
}

// newEgressProxy starts a proxy on a Unix socket in a temporary directory. It calls resolve for each
// address.
func newEgressProxy(resolve func(address string) (string, error)) (*egressProxy, error) {
	dir, err := os.MkdirTemp("", "net-")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "proxy"))
	if err != nil {
		return nil, err
	}
	n := &egressProxy{dir, listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveConnect(conn, resolve)
		}
	}()
	return n, nil
}

// configure is an Option: it makes the API server use the proxy, and stops the proxy with the cluster.
func (n *egressProxy) configure(c *Cluster) error {
	c.cleanups = append(c.cleanups, n.stop)
	file := filepath.Join(n.dir, "egress.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, egressSelectorConfig, n.listener.Addr()), 0o600); err != nil {
		return err
	}
	c.env.ControlPlane.GetAPIServer().Configure().Set("egress-selector-config-file", file)
	return nil
}

func (n *egressProxy) stop() error {
	_ = n.listener.Close()
	return os.RemoveAll(n.dir)
}

// serveConnect answers one CONNECT request and relays bytes in both directions until both sides are done.
func serveConnect(client net.Conn, resolve func(string) (string, error)) {
	defer func() { _ = client.Close() }()
	reader := bufio.NewReader(client)
	request, err := http.ReadRequest(reader)
	if err != nil || request.Method != http.MethodConnect {
		return
	}
	address, err := resolve(request.Host)
	if err != nil {
		_, _ = fmt.Fprintf(client, "HTTP/1.1 503 %s\r\n\r\n", err)
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		_, _ = fmt.Fprintf(client, "HTTP/1.1 502 %s\r\n\r\n", err)
		return
	}
	defer func() { _ = server.Close() }()
	if _, err := fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, reader)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
	_ = client.(*net.UnixConn).CloseWrite()
	<-done
}
