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

// replaceableCertificate are certificates that a test exchanges.
type replaceableCertificate struct {
	atomic.Pointer[tls.Certificate]
}

func (*replaceableCertificate) Start(context.Context) error { return nil }

func (g *replaceableCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return g.Load(), nil
}

// newCertificate makes a certificate for localhost that is valid between two times from now.
func newCertificate(t *testing.T, from, to time.Duration, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to), DNSNames: []string{"localhost"},
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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

// startListener starts a listener that answers with 200.
func startListener(t *testing.T, l *listener) (stop func() error) {
	t.Helper()
	l.address = "127.0.0.1:0"
	if l.handler == nil {
		l.handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}
	if err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)); err == nil {
		t.Error("ready before it listens")
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

func TestReady(t *testing.T) {
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	l := &listener{certificates: certificates, stopDelay: 300 * time.Millisecond}
	stop := startListener(t, l)
	is := func(want string) {
		t.Helper()
		err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		} else if want != "" {
			t.Errorf("ready, want %q", want)
		}
	}
	is("")
	certificates.Store(newCertificate(t, -time.Hour, -time.Minute, "old"))
	is("the certificate expired")
	certificates.Store(newCertificate(t, time.Minute, time.Hour, "young"))
	is("not valid before")
	certificates.Store(newCertificate(t, -time.Minute, time.Hour, "b"))
	is("")

	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	eventually(t, "unready", func() error {
		if !l.stopping.Load() {
			return context.DeadlineExceeded
		}
		return nil
	})
	is("stopping")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Get("https://" + l.bound.Load().String())
	if err != nil {
		t.Fatalf("it does not serve while it waits for the API servers: %v", err)
	}
	_ = response.Body.Close()
	client.CloseIdleConnections()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	l := &listener{certificates: certificates}
	stop := startListener(t, l)
	defer func() { _ = stop() }()
	for name, test := range map[string]struct {
		client *tls.Config
		good   bool
	}{
		"1.1":              {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"1.2":              {&tls.Config{MaxVersion: tls.VersionTLS12}, true},
		"1.3":              {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"1.2 with CBC":     {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, false},
		"1.2 without ECDH": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, false},
	} {
		config := test.client.Clone()
		config.InsecureSkipVerify, config.NextProtos = true, []string{"h2"}
		conn, err := tls.Dial("tcp", l.bound.Load().String(), config)
		if (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "h2" {
				t.Errorf("%s: HTTP/2 is not offered but %q", name, protocol)
			}
			_ = conn.Close()
		}
	}
}

// TestWaitingStreamsBlockNobody: large bodies that nobody reads yet leave room on their connection for another one.
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
	if err := post("/"); err != nil { // so that there is a connection for all
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range maxStreams - 1 {
		all.Go(func() { _ = post("/wait") })
	}
	eventually(t, "all waiting", func() error {
		if waiting.Load() < maxStreams-1 {
			return context.DeadlineExceeded
		}
		return nil
	})
	time.Sleep(100 * time.Millisecond) // until they have sent what they may
	client.Timeout = 5 * time.Second
	if err := post("/"); err != nil {
		t.Errorf("those who wait block the others: %v", err)
	}
	close(release)
	all.Wait()
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStopAsksClientsToLeave: who is connected when the stop begins gets an answer, and connects anew.
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
		t.Fatalf("%d connections for two calls", dials.Load())
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
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
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
