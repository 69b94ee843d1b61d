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

// TestClientCheck lets clients in by their certificates, also when the CAs change.
func TestClientCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	trust := func(c *tls.Certificate) {
		t.Helper()
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: c.Certificate[0]}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apiServer := newCertificate(t, -time.Hour, time.Hour, "kube-apiserver")
	trust(apiServer)
	certificates := &replaceableCertificate{}
	certificates.Store(newCertificate(t, -time.Hour, time.Hour, "a"))
	logs := &logBuffer{}
	l := &listener{certificates: certificates, clients: ClientCheck{CAFile: file, Names: []string{"kube-apiserver"}}, log: funcr.New(logs.appendLine, funcr.Options{})}
	stop := startListener(t, l)
	defer func() { _ = stop() }()
	call := func(client *tls.Certificate) error {
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
	if err := call(apiServer); err != nil {
		t.Errorf("the API server is not let in: %v", err)
	}
	stranger := newCertificate(t, -time.Hour, time.Hour, "kube-apiserver")
	for who, client := range map[string]*tls.Certificate{"no certificate": nil, "another CA": stranger} {
		if call(client) == nil {
			t.Errorf("%s is let in", who)
		}
	}
	trust(stranger)
	if err := call(stranger); err != nil {
		t.Errorf("the new CA is not trusted: %v", err)
	}
	named := newCertificate(t, -time.Hour, time.Hour, "somebody")
	trust(named)
	if call(named) == nil {
		t.Error("another name is let in")
	}
	// The probe has no certificate, and sees what is served all the same.
	if err := l.ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)); err != nil {
		t.Errorf("not ready: %v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if text := logs.String(); strings.Contains(text, *l.probing.Load()+":") || !strings.Contains(text, "didn't provide a certificate") {
		t.Errorf("the probe must not be in the log, and others must: %s", text)
	}
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&listener{certificates: certificates, clients: l.clients}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "has no certificate") {
		t.Error(err)
	}
}
