package selfsigned

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const day = 24 * time.Hour

// fakeCluster is a cluster with two replicas and a fake clock. These tests cover what depends on time; webhook/e2e
// covers the rest with a real API server.
type fakeCluster struct {
	t        *testing.T
	client   *fake.Clientset
	replicas []*Rotator
	now      time.Time
}

func newFakeCluster(t *testing.T) *fakeCluster {
	service := admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{Name: "hook", Namespace: "here"},
	}
	c := &fakeCluster{t: t, now: time.Now(), client: fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "here", Name: "ca"}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "hooks"},
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "a", ClientConfig: service}, {Name: "b", ClientConfig: service}},
		})}
	for range 2 {
		c.replicas = append(c.replicas, &Rotator{
			Client: c.client, Namespace: "here", Secret: "ca", WebhookConfiguration: "hooks", Schedule: DefaultSchedule(), Log: logr.Discard(),
		})
	}
	return c
}

// rotate advances the clock and calls Rotate on a replica.
func (c *fakeCluster) rotate(replica int, passed time.Duration) {
	c.t.Helper()
	c.now = c.now.Add(passed)
	if err := c.replicas[replica].Rotate(c.t.Context(), c.now); err != nil {
		c.t.Fatal(err)
	}
}

func (c *fakeCluster) secretData() map[string][]byte {
	c.t.Helper()
	secret, err := c.client.CoreV1().Secrets("here").Get(c.t.Context(), "ca", metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return secret.Data
}

func (c *fakeCluster) caBundle() []byte {
	c.t.Helper()
	configuration, err := c.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(c.t.Context(), "hooks", metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	if !bytes.Equal(configuration.Webhooks[0].ClientConfig.CABundle, configuration.Webhooks[1].ClientConfig.CABundle) {
		c.t.Error("the webhooks trust different CAs")
	}
	return configuration.Webhooks[0].ClientConfig.CABundle
}

func (c *fakeCluster) servingCertificate(replica int) *tls.Certificate {
	c.t.Helper()
	certificate, err := c.replicas[replica].GetCertificate(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return certificate
}

// checkTrusted checks that an API server which trusts the bundle accepts the certificates of all replicas.
func (c *fakeCluster) checkTrusted(bundle []byte) {
	c.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	for i := range c.replicas {
		for _, name := range []string{"hook.here.svc", "hook.here.svc.cluster.local"} {
			if _, err := c.servingCertificate(i).Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: c.now}); err != nil {
				c.t.Errorf("replica %d at %s: %v", i, c.now, err)
			}
		}
	}
}

// TestThirtyYearsOfRotation lets thirty years pass, day by day. The replicas run at different times of the day. Even an API
// server that only knows yesterday's bundle must accept each certificate.
func TestThirtyYearsOfRotation(t *testing.T) {
	c := newFakeCluster(t)
	if _, err := c.replicas[0].GetCertificate(nil); err == nil {
		t.Error("there is a certificate before Rotate was called")
	}
	c.rotate(0, 0)
	c.rotate(1, time.Second)
	cas, leaves := map[string]bool{}, map[string]bool{}
	before := c.caBundle()
	for range 30 * 365 {
		c.rotate(0, 23*time.Hour)
		c.checkTrusted(before)
		before = c.caBundle()
		c.rotate(1, time.Hour)
		c.checkTrusted(before)
		cas[string(c.secretData()[currentCertificate])] = true
		if isExpired(c.secretData()[previousCertificate], c.now.Add(-day)) {
			t.Fatalf("at %s, an expired CA is trusted", c.now)
		}
		leaves[string(c.servingCertificate(0).Certificate[0])] = true
	}
	if len(cas) < 4 || len(cas) > 6 || len(leaves) < 120 || len(leaves) > 200 {
		t.Errorf("%d CAs and %d serving certificates in thirty years", len(cas), len(leaves))
	}
}

// TestWritesNothingWhenNothingIsDue calls Rotate before and after the serving certificate is due for renewal.
func TestWritesNothingWhenNothingIsDue(t *testing.T) {
	c := newFakeCluster(t)
	c.rotate(0, 0)
	c.rotate(1, 0)
	if bytes.Equal(c.servingCertificate(0).Certificate[0], c.servingCertificate(1).Certificate[0]) {
		t.Error("the replicas share a serving certificate, so one of them must have stored it")
	}
	leaf := c.servingCertificate(0)
	c.client.ClearActions()
	c.rotate(0, 30*day)
	for _, action := range c.client.Actions() {
		if action.GetVerb() != "get" {
			t.Errorf("Rotate did %s %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
	if c.servingCertificate(0) != leaf {
		t.Error("the certificate was replaced too early")
	}
	c.rotate(0, 31*day)
	if c.servingCertificate(0) == leaf {
		t.Error("the certificate was not replaced after two thirds of its lifetime")
	}
}

// TestRestoresBundleAndSecret removes the CA bundle, and then the data of the Secret. Rotate must restore both. If the data
// can't be read, Rotate must fail and leave everything as it is.
func TestRestoresBundleAndSecret(t *testing.T) {
	c := newFakeCluster(t)
	c.rotate(0, 0)
	c.rotate(1, 0)
	hooks := c.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	configuration, _ := hooks.Get(t.Context(), "hooks", metav1.GetOptions{})
	configuration.Webhooks[1].ClientConfig.CABundle = nil
	if _, err := hooks.Update(t.Context(), configuration, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.rotate(1, time.Minute)
	c.checkTrusted(c.caBundle())

	secrets := c.client.CoreV1().Secrets("here")
	secret, _ := secrets.Get(t.Context(), "ca", metav1.GetOptions{})
	secret.Data = nil
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.rotate(0, time.Minute)
	c.rotate(1, time.Second)
	c.checkTrusted(c.caBundle())

	secret, _ = secrets.Get(t.Context(), "ca", metav1.GetOptions{})
	secret.Data[currentKey] = []byte("no key")
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.replicas[0].Rotate(t.Context(), c.now); err == nil {
		t.Error("Rotate accepts a CA that can't be read")
	}
	c.checkTrusted(c.caBundle())
}

// TestExpiredCA stops rotation until both the current and the next CA have expired. The next CA must not become current.
func TestExpiredCA(t *testing.T) {
	c := newFakeCluster(t)
	c.rotate(0, 0)
	c.rotate(0, 7*365*day) // creates the next CA
	if len(c.secretData()[nextCertificate]) == 0 {
		t.Fatal("there is no next CA after two thirds of the lifetime of the first")
	}
	for range 3 {
		c.rotate(0, 20*365*day)
		c.rotate(1, time.Second)
		c.checkTrusted(c.caBundle())
		c.rotate(0, 2*day)
		c.rotate(1, time.Second)
		c.checkTrusted(c.caBundle())
	}
	if last := c.secretData()[previousCertificate]; isExpired(last, c.now) {
		t.Error("an expired CA is trusted")
	}
}

// TestServesNothingThatIsNotTrusted makes updates of the webhook configuration fail. Rotate must not serve a certificate
// that the API server would not trust.
func TestServesNothingThatIsNotTrusted(t *testing.T) {
	c := newFakeCluster(t)
	denied := errors.New("no")
	c.client.PrependReactor("update", "validatingwebhookconfigurations", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, denied
	})
	if err := c.replicas[0].Rotate(t.Context(), c.now); !errors.Is(err, denied) {
		t.Error(err)
	}
	if _, err := c.replicas[0].GetCertificate(nil); err == nil {
		t.Error("an untrusted certificate is served")
	}
}

// TestStartIssuesAndStops runs Start until there is a certificate, and then stops it.
func TestStartIssuesAndStops(t *testing.T) {
	c := newFakeCluster(t)
	r := c.replicas[0]
	r.Schedule.Interval = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Start(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := r.GetCertificate(nil); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if names := r.serving.Load().names; !slices.Equal(names, []string{"hook.here.svc", "hook.here.svc.cluster.local"}) {
		t.Errorf("the names are %q", names)
	}
}
