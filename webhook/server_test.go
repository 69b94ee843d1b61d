package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// TestServer runs the server from start to stop: probes, metrics, a certificate that is replaced, and a review that is in progress when
// the server has to stop.
func TestServer(t *testing.T) {
	lookupStarted, release := make(chan struct{}, 1), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "secrets") {
			lookupStarted <- struct{}{}
			<-release
		}
		if !serveNoLimits(w, r) {
			withControllerConfig(func(w http.ResponseWriter, _ *http.Request) { lookuptest.NotFound(w) })(w, r)
		}
	}))
	defer api.Close()

	dir := t.TempDir()
	writeCertificate(t, dir)
	server := Server{
		Cluster: &rest.Config{Host: api.URL}, Config: DefaultConfig(), CertDir: dir, Log: logr.Discard(),
		WebhookAddress: freeAddress(t), MetricsAddress: freeAddress(t), ProbeAddress: freeAddress(t),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()

	eventually(t, "ready", func() error {
		select {
		case err := <-done:
			t.Fatalf("the server stopped: %v", err)
		default:
		}
		return getOK("http://" + server.ProbeAddress + "/readyz")
	})
	if err := getOK("http://" + server.ProbeAddress + "/healthz"); err != nil {
		t.Error(err)
	}

	before := servedCertificate(t, server.WebhookAddress)
	writeCertificate(t, dir)
	eventually(t, "serving the new certificate", func() error {
		if bytes.Equal(before, servedCertificate(t, server.WebhookAddress)) {
			return errors.New("still the old one")
		}
		return nil
	})

	answered := make(chan error, 1)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	url, body := "https://"+server.WebhookAddress+workflows.path+"?timeout=5s", reviewJSON(t, workflowWithSecret)
	go func() {
		response, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			answered <- err
			return
		}
		defer response.Body.Close()
		var got admissionv1.AdmissionReview
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Response.Allowed {
			err = fmt.Errorf("answered %+v, %w", got.Response, err)
			answered <- err
			return
		}
		answered <- nil
	}()
	<-lookupStarted
	if err := getOK("http://" + server.MetricsAddress + "/metrics"); err != nil {
		t.Error(err)
	}
	cancel()
	time.Sleep(100 * time.Millisecond)
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the review that was in progress: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("stopping the server: %v", err)
	}
}

// TestServerStartErrors starts servers that can't start. Run must return the reason.
func TestServerStartErrors(t *testing.T) {
	certificates := t.TempDir()
	writeCertificate(t, certificates)
	for message, server := range map[string]Server{
		"missing port in address": {WebhookAddress: "localhost"},
		"unknown port":            {WebhookAddress: ":many", CertDir: certificates},
		"no such file":            {WebhookAddress: freeAddress(t), CertDir: "missing"},
	} {
		server.Cluster, server.Log, server.MetricsAddress, server.ProbeAddress = &rest.Config{}, logr.Discard(), "0", "0"
		server.Registry = prometheus.NewRegistry()
		if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("the error is %v, want %s", err, message)
		}
	}
}

// writeCertificate writes a new self-signed certificate and its key to dir.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// servedCertificate returns the certificate that a server presents.
func servedCertificate(t *testing.T, address string) []byte {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw
}

// freeAddress returns an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// getOK returns an error unless a GET is answered with 200.
func getOK(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return nil
}

// eventually calls try until it succeeds, for at least 20 seconds.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for range 1000 {
		if err = try(); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}
