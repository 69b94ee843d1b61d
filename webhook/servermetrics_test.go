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

// fixedCertificate serves what it is given.
type fixedCertificate struct {
	manager.Runnable
	served *tls.Certificate
	err    error
}

// GetCertificate implements certificates.
func (a *fixedCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.served, a.err
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
		t.Errorf("%d certificates expire before there is one", got)
	}
	for name, served := range map[string]tls.Certificate{"parsed": pair, "not parsed": unparsed} {
		certificates.served, certificates.err = &served, nil
		if got := testutil.ToFloat64(m.certificate); got != expires {
			t.Errorf("the certificate that is %s expires at %v, want %v", name, got, expires)
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
	if right := testutil.ToFloat64(m.configValid); right != 1 || read == 0 {
		t.Errorf("at the start: right %v, read at %v", right, read)
	}
	m.reloaded(errors.New("no such rule"))
	if right := testutil.ToFloat64(m.configValid); right != 0 || testutil.ToFloat64(m.configTime) != read {
		t.Errorf("with a wrong configuration: right %v, read at %v, not %v", right, testutil.ToFloat64(m.configTime), read)
	}
	m.reloaded(nil)
	if right := testutil.ToFloat64(m.configValid); right != 1 || testutil.ToFloat64(m.configTime) < read {
		t.Errorf("with the right one: right %v, read at %v", right, testutil.ToFloat64(m.configTime))
	}

	if _, err := newServerMetrics(registry, "", certificates); err == nil {
		t.Error("two servers count in the same place")
	}
	m.unregister(registry)
	if families, err := registry.Gather(); err != nil || len(families) > 0 {
		t.Errorf("when the server is gone there is %v, %v", families, err)
	}
}
