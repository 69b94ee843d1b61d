package webhook

import (
	"crypto/tls"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// fixedCertificate implements certificates with one certificate, or an error.
type fixedCertificate struct {
	manager.Runnable
	certificate *tls.Certificate
	err         error
}

// GetCertificate implements certificates.
func (c *fixedCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.certificate, c.err
}

func TestServerMetrics(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	pair, err := tls.LoadX509KeyPair(dir+"/tls.crt", dir+"/tls.key")
	if err != nil {
		t.Fatal(err)
	}
	expires := float64(pair.Leaf.NotAfter.Unix())
	unparsed := pair
	unparsed.Leaf = nil

	registry := prometheus.NewRegistry()
	certificates := &fixedCertificate{err: errors.New("none yet")}
	m, err := newServerMetrics(registry, "v1.2.3", certificates)
	if err != nil {
		t.Fatal(err)
	}
	if got := testutil.CollectAndCount(m.certificate); got != 0 {
		t.Errorf("the expiry has %d samples before there is a certificate", got)
	}
	for name, certificate := range map[string]tls.Certificate{"parsed": pair, "not parsed": unparsed} {
		certificates.certificate, certificates.err = &certificate, nil
		if got := testutil.ToFloat64(m.certificate); got != expires {
			t.Errorf("a certificate that is %s expires at %v, want %v", name, got, expires)
		}
	}

	built := `
		# HELP kfp_preflight_build_info Always 1; the labels say which version runs, and which version of Go it was built with.
		# TYPE kfp_preflight_build_info gauge
		kfp_preflight_build_info{goversion="` + runtime.Version() + `",version="v1.2.3"} 1
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(built), "kfp_preflight_build_info"); err != nil {
		t.Error(err)
	}

	read := testutil.ToFloat64(m.configTime)
	if valid := testutil.ToFloat64(m.configValid); valid != 1 || read == 0 {
		t.Errorf("at the start: valid %v, read at %v", valid, read)
	}
	m.reloaded(errors.New("no such rule"))
	if valid := testutil.ToFloat64(m.configValid); valid != 0 || testutil.ToFloat64(m.configTime) != read {
		t.Errorf("after an invalid configuration: valid %v, read at %v, want %v", valid, testutil.ToFloat64(m.configTime), read)
	}
	m.reloaded(nil)
	if valid := testutil.ToFloat64(m.configValid); valid != 1 || testutil.ToFloat64(m.configTime) < read {
		t.Errorf("after a valid configuration: valid %v, read at %v", valid, testutil.ToFloat64(m.configTime))
	}

	if _, err := newServerMetrics(registry, "", certificates); err == nil {
		t.Error("two servers share one registry")
	}
	m.unregister(registry)
	if families, err := registry.Gather(); err != nil || len(families) > 0 {
		t.Errorf("after unregister the registry has %v, %v", families, err)
	}
}
