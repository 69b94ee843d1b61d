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

// fakeCluster is a cluster with two replicas. What concerns time is tested here, with a clock that jumps; the rest with a real API server.
type fakeCluster struct {
	t        *testing.T
	client   *fake.Clientset
	replicas []*Rotator
	now      time.Time
}

func newFakeCluster(t *testing.T) *fakeCluster {
	service := admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Name: "hook", Namespace: "here"}}
	w := &fakeCluster{t: t, now: time.Now(), client: fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "here", Name: "ca"}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "hooks"},
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "a", ClientConfig: service}, {Name: "b", ClientConfig: service}},
		})}
	for range 2 {
		w.replicas = append(w.replicas, &Rotator{
			Client: w.client, Namespace: "here", Secret: "ca", WebhookConfiguration: "hooks", Schedule: DefaultSchedule(), Log: logr.Discard(),
		})
	}
	return w
}

// rotate lets time pass and a replica look after the certificates.
func (w *fakeCluster) rotate(replica int, passed time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(passed)
	if err := w.replicas[replica].Rotate(w.t.Context(), w.now); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fakeCluster) secretData() map[string][]byte {
	w.t.Helper()
	secret, err := w.client.CoreV1().Secrets("here").Get(w.t.Context(), "ca", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return secret.Data
}

func (w *fakeCluster) caBundle() []byte {
	w.t.Helper()
	configuration, err := w.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(w.t.Context(), "hooks", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	if !bytes.Equal(configuration.Webhooks[0].ClientConfig.CABundle, configuration.Webhooks[1].ClientConfig.CABundle) {
		w.t.Error("the webhooks trust different CAs")
	}
	return configuration.Webhooks[0].ClientConfig.CABundle
}

func (w *fakeCluster) servingCertificate(replica int) *tls.Certificate {
	w.t.Helper()
	certificate, err := w.replicas[replica].GetCertificate(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return certificate
}

// checkTrusted checks that all replicas serve what an API server accepts that knows the given CAs.
func (w *fakeCluster) checkTrusted(bundle []byte) {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	for i := range w.replicas {
		for _, name := range []string{"hook.here.svc", "hook.here.svc.cluster.local"} {
			if _, err := w.servingCertificate(i).Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: w.now}); err != nil {
				w.t.Errorf("replica %d after %s: %v", i, w.now, err)
			}
		}
	}
}

// TestThirtyYearsOfRotation lets thirty years pass, day by day, with the replicas a bit apart. An API server that has the bundle of a day ago accepts what
// is served at all times.
func TestThirtyYearsOfRotation(t *testing.T) {
	w := newFakeCluster(t)
	if _, err := w.replicas[0].GetCertificate(nil); err == nil {
		t.Error("there is a certificate before anybody made one")
	}
	w.rotate(0, 0)
	w.rotate(1, time.Second)
	cas, leaves := map[string]bool{}, map[string]bool{}
	before := w.caBundle()
	for range 30 * 365 {
		w.rotate(0, 23*time.Hour)
		w.checkTrusted(before)
		before = w.caBundle()
		w.rotate(1, time.Hour)
		w.checkTrusted(before)
		cas[string(w.secretData()[currentCertificate])] = true
		if isExpired(w.secretData()[previousCertificate], w.now.Add(-day)) {
			t.Fatalf("at %s a CA is trusted that has expired", w.now)
		}
		leaves[string(w.servingCertificate(0).Certificate[0])] = true
	}
	if len(cas) < 4 || len(cas) > 6 || len(leaves) < 120 || len(leaves) > 200 {
		t.Errorf("%d CAs and %d certificates in thirty years", len(cas), len(leaves))
	}
}

// TestWritesNothingWhenNothingIsDue writes nothing when nothing is due.
func TestWritesNothingWhenNothingIsDue(t *testing.T) {
	w := newFakeCluster(t)
	w.rotate(0, 0)
	w.rotate(1, 0)
	if bytes.Equal(w.servingCertificate(0).Certificate[0], w.servingCertificate(1).Certificate[0]) {
		t.Error("the replicas share a certificate, which must have been stored")
	}
	leaf := w.servingCertificate(0)
	w.client.ClearActions()
	w.rotate(0, 30*day)
	for _, action := range w.client.Actions() {
		if action.GetVerb() != "get" {
			t.Errorf("it does %s %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
	if w.servingCertificate(0) != leaf {
		t.Error("another certificate is served")
	}
	w.rotate(0, 31*day)
	if w.servingCertificate(0) == leaf {
		t.Error("the same certificate is served after two thirds of its life")
	}
}

// TestRestoresBundleAndSecret puts the bundle back when somebody has taken it away, and makes a CA anew whose Secret was emptied.
func TestRestoresBundleAndSecret(t *testing.T) {
	w := newFakeCluster(t)
	w.rotate(0, 0)
	w.rotate(1, 0)
	hooks := w.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	configuration, _ := hooks.Get(t.Context(), "hooks", metav1.GetOptions{})
	configuration.Webhooks[1].ClientConfig.CABundle = nil
	if _, err := hooks.Update(t.Context(), configuration, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.rotate(1, time.Minute)
	w.checkTrusted(w.caBundle())

	secrets := w.client.CoreV1().Secrets("here")
	secret, _ := secrets.Get(t.Context(), "ca", metav1.GetOptions{})
	secret.Data = nil
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.rotate(0, time.Minute)
	w.rotate(1, time.Second)
	w.checkTrusted(w.caBundle())

	secret, _ = secrets.Get(t.Context(), "ca", metav1.GetOptions{})
	secret.Data[currentKey] = []byte("no key")
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.replicas[0].Rotate(t.Context(), w.now); err == nil {
		t.Error("a CA that can't be read is no error")
	}
	w.checkTrusted(w.caBundle()) // and everything stays as it was
}

// TestExpiredCA finds a CA that has expired, with the next one beside it, which must not come to sign when it has expired itself.
func TestExpiredCA(t *testing.T) {
	w := newFakeCluster(t)
	w.rotate(0, 0)
	w.rotate(0, 7*365*day) // the next one is there
	if len(w.secretData()[nextCertificate]) == 0 {
		t.Fatal("there is no next CA after two thirds of the life of the first")
	}
	for range 3 {
		w.rotate(0, 20*365*day)
		w.rotate(1, time.Second)
		w.checkTrusted(w.caBundle())
		w.rotate(0, 2*day)
		w.rotate(1, time.Second)
		w.checkTrusted(w.caBundle())
	}
	if last := w.secretData()[previousCertificate]; isExpired(last, w.now) {
		t.Error("a CA is trusted that has expired")
	}
}

// TestServesNothingThatIsNotTrusted lets the webhook configuration be out of reach: nothing new is served that nobody trusts.
func TestServesNothingThatIsNotTrusted(t *testing.T) {
	w := newFakeCluster(t)
	denied := errors.New("no")
	w.client.PrependReactor("update", "validatingwebhookconfigurations", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, denied })
	if err := w.replicas[0].Rotate(t.Context(), w.now); !errors.Is(err, denied) {
		t.Error(err)
	}
	if _, err := w.replicas[0].GetCertificate(nil); err == nil {
		t.Error("a certificate is served that nobody trusts")
	}
}

// TestStartIssuesAndStops does it all in a running process, and ends.
func TestStartIssuesAndStops(t *testing.T) {
	w := newFakeCluster(t)
	r := w.replicas[0]
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
