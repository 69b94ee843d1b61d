package webhook

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/util/cert"
)

// TestClientCheck connects with and without certificates of the CAs in the file, before and after the file changes.
func TestClientCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	trust := func(c *tls.Certificate) {
		t.Helper()
		text := pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: c.Certificate[0]})
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apiServer := newCertificate(t, -time.Hour, time.Hour, "kube-apiserver")
	trust(apiServer)
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	logs := &logBuffer{}
	l := &listener{
		certificates: certificates, clients: ClientCheck{CAFile: file, Names: []string{"kube-apiserver"}},
		log: funcr.New(logs.appendLine, funcr.Options{}),
	}
	stop := startListener(t, l)
	defer func() { _ = stop() }()
	connect := func(client *tls.Certificate) error {
		config := &tls.Config{InsecureSkipVerify: true}
		if client != nil {
			config.Certificates = []tls.Certificate{*client}
		}
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Get("https://" + l.bound.Load().String())
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	if err := connect(apiServer); err != nil {
		t.Errorf("the API server is not accepted: %v", err)
	}
	otherCA := newCertificate(t, -time.Hour, time.Hour, "kube-apiserver")
	for name, client := range map[string]*tls.Certificate{"no certificate": nil, "a certificate of another CA": otherCA} {
		if connect(client) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	trust(otherCA)
	if err := connect(otherCA); err != nil {
		t.Errorf("a client of the new CA is not accepted: %v", err)
	}
	otherName := newCertificate(t, -time.Hour, time.Hour, "somebody")
	trust(otherName)
	if connect(otherName) == nil {
		t.Error("a client with another name is accepted")
	}
	// The readiness probe has no client certificate and still sees the server's certificate.
	if err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)); err != nil {
		t.Errorf("not ready: %v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if text := logs.String(); strings.Contains(text, *l.probing.Load()+":") || !strings.Contains(text, "didn't provide a certificate") {
		t.Errorf("the log must have the error of the client without a certificate, and not that of the probe: %s", text)
	}
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := (&listener{certificates: certificates, clients: l.clients}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "has no certificate") {
		t.Errorf("started without a CA: %v", err)
	}
}
