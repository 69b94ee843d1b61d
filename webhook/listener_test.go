package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// replaceableCertificate implements certificates with a certificate that a test sets.
type replaceableCertificate struct {
	atomic.Pointer[tls.Certificate]
}

func (*replaceableCertificate) Start(context.Context) error { return nil }

func (c *replaceableCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.Load(), nil
}

// newCertificate returns a self-signed certificate for localhost. notBefore and notAfter are relative to now.
func newCertificate(t *testing.T, notBefore, notAfter time.Duration, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(notBefore), NotAfter: time.Now().Add(notAfter),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// startListener starts a listener on a free port, and waits until it listens. Without a handler, it answers 200.
func startListener(t *testing.T, l *listener) (stop func() error) {
	t.Helper()
	l.address = "127.0.0.1:0"
	if l.handler == nil {
		l.handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}
	if err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)); err == nil {
		t.Error("the listener is ready before it listens")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Start(ctx) }()
	eventually(t, "listening", func() error {
		if l.bound.Load() == nil {
			return context.DeadlineExceeded
		}
		return nil
	})
	return func() error { cancel(); return <-done }
}

// TestReady asks for readiness with valid and invalid certificates, and while the listener stops.
func TestReady(t *testing.T) {
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	l := &listener{certificates: certificates, stopDelay: 300 * time.Millisecond}
	stop := startListener(t, l)
	expectReady := func() {
		t.Helper()
		if err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)); err != nil {
			t.Errorf("not ready: %v", err)
		}
	}
	expectNotReady := func(reason string) {
		t.Helper()
		err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("the error of the probe is %v, want %q", err, reason)
		}
	}
	expectReady()
	certificates.Store(newCertificate(t, -time.Hour, -time.Minute, "expired"))
	expectNotReady("the certificate expired")
	certificates.Store(newCertificate(t, time.Minute, time.Hour, "future"))
	expectNotReady("not valid before")
	certificates.Store(newCertificate(t, -time.Minute, time.Hour, "b"))
	expectReady()

	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	eventually(t, "stopping", func() error {
		if !l.stopping.Load() {
			return context.DeadlineExceeded
		}
		return nil
	})
	expectNotReady("stopping")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Get("https://" + l.bound.Load().String())
	if err != nil {
		t.Fatalf("the listener does not serve during stopDelay: %v", err)
	}
	_ = response.Body.Close()
	client.CloseIdleConnections()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestTLS connects with old and new versions of TLS and with weak cipher suites.
func TestTLS(t *testing.T) {
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	l := &listener{certificates: certificates}
	stop := startListener(t, l)
	defer func() { _ = stop() }()
	tls12 := func(suite uint16) *tls.Config {
		return &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
	}
	for name, test := range map[string]struct {
		client   *tls.Config
		accepted bool
	}{
		"1.1":              {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"1.2":              {&tls.Config{MaxVersion: tls.VersionTLS12}, true},
		"1.3":              {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"1.2 with CBC":     {tls12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), false},
		"1.2 without ECDH": {tls12(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), false},
	} {
		config := test.client.Clone()
		config.InsecureSkipVerify, config.NextProtos = true, []string{"h2"}
		conn, err := tls.Dial("tcp", l.bound.Load().String(), config)
		if (err == nil) != test.accepted {
			t.Errorf("TLS %s: error %v, want accepted: %v", name, err, test.accepted)
		}
		if err == nil {
			if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "h2" {
				t.Errorf("TLS %s: the protocol is %q, want h2", name, protocol)
			}
			_ = conn.Close()
		}
	}
}

// TestWaitingStreamsDontBlockOthers sends large bodies that the handler does not read yet, on one connection. The connection's receive
// window must still take another body.
func TestWaitingStreamsDontBlockOthers(t *testing.T) {
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	release := make(chan struct{})
	var waiting atomic.Int32
	l := &listener{certificates: certificates}
	l.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			waiting.Add(1)
			<-release
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	stop := startListener(t, l)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	body := strings.Repeat("x", 1<<20)
	post := func(path string) error {
		response, err := client.Post("https://"+l.bound.Load().String()+path, "text/plain", strings.NewReader(body))
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	if err := post("/"); err != nil { // opens the connection that all share
		t.Fatal(err)
	}
	var waiters sync.WaitGroup
	for range maxStreams - 1 {
		waiters.Go(func() { _ = post("/wait") })
	}
	eventually(t, "all requests waiting", func() error {
		if waiting.Load() < maxStreams-1 {
			return context.DeadlineExceeded
		}
		return nil
	})
	time.Sleep(100 * time.Millisecond) // until they have filled their streams' windows
	client.Timeout = 5 * time.Second
	if err := post("/"); err != nil {
		t.Errorf("the waiting requests block another one: %v", err)
	}
	close(release)
	waiters.Wait()
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStopMakesClientsReconnect sends requests on a connection from before the stop. They are answered, and the client then connects
// anew.
func TestStopMakesClientsReconnect(t *testing.T) {
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	l := &listener{certificates: certificates, stopDelay: 2 * time.Second}
	stop := startListener(t, l)
	var dials atomic.Int32
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	get := func() {
		t.Helper()
		response, err := client.Get("https://" + l.bound.Load().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK {
			t.Errorf("answered %s with %s", response.Status, response.Proto)
		}
	}
	get()
	get()
	if dials.Load() != 1 {
		t.Fatalf("two requests opened %d connections", dials.Load())
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	eventually(t, "stopping", func() error {
		if !l.stopping.Load() {
			return context.DeadlineExceeded
		}
		return nil
	})
	get()
	eventually(t, "another connection", func() error {
		if get(); dials.Load() < 2 {
			return context.DeadlineExceeded
		}
		return nil
	})
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
