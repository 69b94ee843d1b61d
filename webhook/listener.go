package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// certificates provide the certificate that the listener serves with. It may change at any time.
type certificates interface {
	manager.Runnable
	// GetCertificate returns the current certificate.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// listener serves AdmissionReviews over TLS.
type listener struct {
	// address is HOST:PORT.
	address      string
	handler      http.Handler
	certificates certificates
	clients      ClientCheck
	// stopDelay is how long the listener keeps serving after it was told to stop. During that time it is not ready.
	stopDelay time.Duration
	log       logr.Logger

	bound    atomic.Pointer[net.TCPAddr]
	stopping atomic.Bool
	probing  atomic.Pointer[string] // local address of the latest connection that ready opened
}

// connectionErrors is the error log of the HTTP server.
type connectionErrors struct{ *listener }

// Write implements io.Writer. It drops the errors of the readiness probe, which presents no client certificate.
func (e connectionErrors) Write(line []byte) (int, error) {
	if probe := e.probing.Load(); probe == nil || !bytes.Contains(line, []byte(*probe+":")) {
		e.log.Info(string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}

// drainTimeout bounds how long the listener waits for requests in progress when it stops. The API server waits at most 30 s.
const drainTimeout = 30 * time.Second

// Limits of one HTTP/2 connection. It may buffer just under 4 MiB.
const maxStreams, streamBuffer = 60, 64 << 10

// NeedLeaderElection implements manager.LeaderElectionRunnable: all replicas serve.
func (*listener) NeedLeaderElection() bool { return false }

// Start serves until ctx is done and for stopDelay after that, then finishes the requests in progress.
func (l *listener) Start(ctx context.Context) error {
	config, err := l.tls()
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", l.address)
	if err != nil {
		return fmt.Errorf("listening for the API server: %w", err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(l.serve), TLSConfig: config,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		HTTP2: &http.HTTP2Config{
			// Streams that are reset as soon as they are opened count until their handler has ended. A client with more of them
			// opens another connection.
			MaxConcurrentStreams: maxStreams,
			// Reviews that wait for memory must not fill the connection's buffer: other reviews could then not be received.
			MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: maxStreams * streamBuffer,
		},
		ErrorLog: log.New(connectionErrors{l}, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(socket, "", "") }()
	l.bound.Store(socket.Addr().(*net.TCPAddr))
	l.log.Info("serving", "address", socket.Addr().String())

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	l.stopping.Store(true)
	l.log.Info("stopping", "delay", l.stopDelay.String())
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-time.After(l.stopDelay): // until clients have stopped sending requests to this replica
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return server.Shutdown(ctx)
}

// serve answers one request. While the listener stops, it asks connected clients to reconnect, which leads them to another
// replica. By themselves they would keep their connections.
func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	if l.stopping.Load() {
		w.Header().Set("Connection", "close") // a GOAWAY in HTTP/2
	}
	l.handler.ServeHTTP(w, r)
}

// tls returns the TLS configuration. The cipher suites apply to TLS 1.2 only; all those of TLS 1.3 are secure.
func (l *listener) tls() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: l.certificates.GetCertificate,
	}
	return config, l.clients.add(config)
}

// ready is the readiness check. It returns an error if the listener has not started or is stopping, if it does not serve the current
// certificate, or if that certificate has expired or is not valid yet.
func (l *listener) ready(request *http.Request) error {
	at := l.bound.Load()
	switch {
	case l.stopping.Load():
		return errors.New("stopping")
	case at == nil:
		return errors.New("not listening yet")
	}
	current, err := l.certificates.GetCertificate(nil)
	if err != nil {
		return err
	}
	// The probe does not verify the chain: it has no CA to trust.
	socket, err := new(net.Dialer).DialContext(request.Context(), "tcp", at.String())
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	l.probing.Store(new(socket.LocalAddr().String()))
	conn := tls.Client(socket, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	if err := conn.HandshakeContext(request.Context()); err != nil {
		return err
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	now := time.Now()
	switch {
	case !bytes.Equal(leaf.Raw, current.Certificate[0]):
		return errors.New("the certificate being served is not the current one")
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", leaf.NotBefore)
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate expired at %s", leaf.NotAfter)
	}
	return nil
}
