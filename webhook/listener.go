package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// certificates are what the listener serves with. They may change at any time.
type certificates interface {
	manager.Runnable
	// GetCertificate returns the one that counts now.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// listener serves AdmissionReviews over TLS.
type listener struct {
	// address is HOST:PORT.
	address      string
	handler      http.Handler
	certificates certificates
	clients      ClientCheck
	// delay is how long it goes on serving, unready, when it is told to stop.
	delay time.Duration
	log   logr.Logger

	bound    atomic.Pointer[net.TCPAddr]
	stopping atomic.Bool
	probing  atomic.Pointer[string] // where the newest connection of ready comes from
}

// connectionErrors are what the server has to say of connections that came to nothing.
type connectionErrors struct{ *listener }

// Write implements io.Writer. That our own probe shows no certificate, where clients must, is no trouble.
func (t connectionErrors) Write(line []byte) (int, error) {
	if own := t.probing.Load(); own == nil || !bytes.Contains(line, []byte(*own+":")) {
		t.log.Info(string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}

// drain is how long calls may take that are under way when the listener stops. The API server waits for 30 s at the most.
const drain = 30 * time.Second

// The bounds of one connection. It may buffer just under 4 MiB.
const maxStreams, streamBuffer = 60, 64 << 10

// NeedLeaderElection implements manager.LeaderElectionRunnable: all replicas serve.
func (*listener) NeedLeaderElection() bool { return false }

// Start serves until ctx is done, goes on for the delay, and then answers what has come in.
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
			// What reviews have sent that wait for room must not use up what others need to come in at all.
			MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: maxStreams * streamBuffer,
		},
		ErrorLog: log.New(connectionErrors{l}, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(socket, "", "") }()
	l.bound.Store(socket.Addr().(*net.TCPAddr))
	l.log.Info("serving", "address", socket.Addr().String())

	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	l.stopping.Store(true)
	l.log.Info("stopping", "delay", l.delay.String())
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-time.After(l.delay): // until nobody sends anything here any more
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	return server.Shutdown(ctx)
}

// serve answers one request. On the way out it asks the client to look for another replica: it can be reached until the delay is over, but
// who is connected would not leave by himself.
func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	if l.stopping.Load() {
		w.Header().Set("Connection", "close") // HTTP/2 makes a GOAWAY of it
	}
	l.handler.ServeHTTP(w, r)
}

// tls is the configuration of the listener. TLS 1.3 has none but modern suites.
func (l *listener) tls() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: l.certificates.GetCertificate,
	}
	return config, l.clients.add(config)
}

// ready says why the API server can't be served: the listener is not there or on its way out, or the certificate that it really serves
// is not the one that counts, or not valid now.
func (l *listener) ready(request *http.Request) error {
	at := l.bound.Load()
	switch {
	case l.stopping.Load():
		return errors.New("stopping")
	case at == nil:
		return errors.New("not listening yet")
	}
	own, err := l.certificates.GetCertificate(nil)
	if err != nil {
		return err
	}
	// Whether anybody trusts it is not asked here: who calls has the CA.
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
	served := conn.ConnectionState().PeerCertificates[0]
	now := time.Now()
	switch {
	case !bytes.Equal(served.Raw, own.Certificate[0]):
		return errors.New("another certificate than the newest is served")
	case now.Before(served.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", served.NotBefore)
	case now.After(served.NotAfter):
		return fmt.Errorf("the certificate has expired at %s", served.NotAfter)
	}
	return nil
}

// ClientCheck lets nobody in but clients with a certificate. The zero value lets everybody in.
type ClientCheck struct {
	// CAFile holds the CAs, in PEM, that sign the clients' certificates. It is read again for each connection.
	CAFile string
	// Names are those that a certificate may be for, as its common name or a DNS name; none for all that the CAs have signed.
	Names []string
}

// add makes a server's configuration check its clients.
func (c ClientCheck) add(config *tls.Config) error {
	if c.CAFile == "" {
		return nil
	}
	if _, err := c.pool(); err != nil {
		return err
	}
	base := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := c.pool()
		if err != nil {
			return nil, err
		}
		checked := base.Clone()
		checked.ClientCAs, checked.ClientAuth = pool, tls.RequireAndVerifyClientCert
		checked.NextProtos = []string{"h2", "http/1.1"}
		checked.VerifyConnection = c.verify
		return checked, nil
	}
	return nil
}

func (c ClientCheck) pool() (*x509.CertPool, error) {
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("the CAs of clients can't be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("there is no certificate in %s, which is to have the CAs of clients", c.CAFile)
	}
	return pool, nil
}

// verify is asked when the certificate has been verified. It is asked for connections that are taken up again as well.
func (c ClientCheck) verify(state tls.ConnectionState) error {
	if len(c.Names) == 0 {
		return nil
	}
	client := state.PeerCertificates[0]
	for _, name := range append([]string{client.Subject.CommonName}, client.DNSNames...) {
		if slices.Contains(c.Names, name) {
			return nil
		}
	}
	return fmt.Errorf("a client with a certificate for '%.100s' is not let in", client.Subject.CommonName)
}
