package selfsigned

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// Rotator keeps a serving certificate for this replica, and its CA in the webhook configuration.
type Rotator struct {
	// Client may get and update the Secret and the webhook configuration.
	Client kubernetes.Interface
	// Namespace and Secret say where the CA lies. The Secret is there; what is in it is made here.
	Namespace, Secret string
	// WebhookConfiguration is the ValidatingWebhookConfiguration that gets the CA. It names what the certificate is for.
	WebhookConfiguration string
	// Schedule of the certificates; DefaultTimes fit a cluster.
	Schedule Schedule
	// Log is told what is made.
	Log logr.Logger

	serving atomic.Pointer[servingCertificate]
}

// Schedule say how long certificates live. What is over two thirds of its life is replaced.
type Schedule struct {
	CALifetime, ServingLifetime time.Duration
	// Overlap is how long a new CA is trusted before anybody signs with it.
	Overlap time.Duration
	// Interval is how often all of it is looked at.
	Interval time.Duration
}

// DefaultSchedule renew a CA after years, and give API servers that can't be reached a day to hear of it.
func DefaultSchedule() Schedule {
	return Schedule{CALifetime: 10 * 365 * 24 * time.Hour, ServingLifetime: 90 * 24 * time.Hour, Overlap: 24 * time.Hour, Interval: 20 * time.Second}
}

// servingCertificate is a certificate, and who signed it for what.
type servingCertificate struct {
	*tls.Certificate
	issuer []byte
	names  []string
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: what two replicas do at the same time, the API server lets one do.
func (*Rotator) NeedLeaderElection() bool { return false }

// GetCertificate returns the certificate to serve with.
func (r *Rotator) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s := r.serving.Load(); s != nil {
		return s.Certificate, nil
	}
	return nil, errors.New("there is no certificate yet; the log says why")
}

// Start keeps all of it up to date until ctx is done. It returns no error: what fails is tried again.
func (r *Rotator) Start(ctx context.Context) error {
	for {
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return r.Rotate(ctx, time.Now()) })
		wait := r.Schedule.Interval
		if err != nil && ctx.Err() == nil {
			r.Log.Error(err, "the certificates could not be looked after")
			wait = min(wait, 2*time.Second)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Rotate does what is to be done at a time: first the CAs, then who trusts them, and only then what is signed with them. A conflict is
// another replica's success: what is to be done has to be found out again.
func (r *Rotator) Rotate(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// It is read before the Secret: if it has changed when the CAs are to be written, they may be older than those that are there.
	configuration, err := r.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, r.WebhookConfiguration, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("the ValidatingWebhookConfiguration %s: %w", r.WebhookConfiguration, err)
	}
	current, bundle, err := r.syncSecret(ctx, now)
	if err != nil {
		return fmt.Errorf("the Secret %s/%s: %w", r.Namespace, r.Secret, err)
	}
	names, err := r.updateCABundles(ctx, configuration, bundle)
	if err != nil {
		return fmt.Errorf("the ValidatingWebhookConfiguration %s: %w", r.WebhookConfiguration, err)
	}
	last := r.serving.Load()
	if last != nil && elapsedFraction(last.Leaf, now) < 2./3 && bytes.Equal(last.issuer, current.certificate.Raw) && slices.Equal(last.names, names) {
		return nil
	}
	certificate, err := current.sign(now, r.Schedule.ServingLifetime, names)
	if err != nil {
		return err
	}
	r.serving.Store(&servingCertificate{certificate, current.certificate.Raw, names})
	r.Log.Info("serving with a new certificate", "names", names, "expires", certificate.Leaf.NotAfter)
	return nil
}

// What the Secret holds: the CA that signs, the one that will, and the certificate of the one that did.
const (
	currentCertificate, currentKey = "ca.crt", "ca.key"
	nextCertificate, nextKey       = "next.crt", "next.key"
	previousCertificate            = "last.crt"
)

// syncSecret brings the CAs up to date, and returns the one that signs, and all that are to be trusted as PEM.
func (r *Rotator) syncSecret(ctx context.Context, now time.Time) (current *authority, bundle []byte, err error) {
	secrets := r.Client.CoreV1().Secrets(r.Namespace)
	secret, err := secrets.Get(ctx, r.Secret, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	changed, err := r.renewCA(secret, now)
	if err != nil {
		return nil, nil, err
	}
	if changed != "" {
		if secret, err = secrets.Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
			return nil, nil, err
		}
		r.Log.Info("the CA is renewed", "step", changed)
	}
	current, err = parseAuthority(secret.Data[currentCertificate], secret.Data[currentKey])
	return current, slices.Concat(secret.Data[currentCertificate], secret.Data[nextCertificate], secret.Data[previousCertificate]), err
}

// renewCA does the step that a Secret's CAs are due, and names it; none if they are not due any.
func (r *Rotator) renewCA(secret *corev1.Secret, now time.Time) (step string, err error) {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	d := secret.Data
	current, err := parseAuthority(d[currentCertificate], d[currentKey])
	if len(d[currentCertificate]) == 0 || err == nil && elapsedFraction(current.certificate, now) >= 1 {
		delete(d, nextCertificate) // of a time when nobody looked after it
		delete(d, nextKey)
		return "a CA is made", r.storeNewCA(secret, currentCertificate, currentKey, now)
	}
	if err != nil {
		return "", fmt.Errorf("its CA can't be read; without its data a new one is made: %w", err)
	}
	if isExpired(d[previousCertificate], now) {
		delete(d, previousCertificate)
		return "the last CA has expired", nil
	}
	if len(d[nextCertificate]) == 0 {
		if elapsedFraction(current.certificate, now) < 2./3 {
			return "", nil
		}
		return "the next CA is trusted from now on", r.storeNewCA(secret, nextCertificate, nextKey, now)
	}
	next, err := parseAuthority(d[nextCertificate], d[nextKey])
	if err != nil {
		return "the next CA can't be read and is made again", r.storeNewCA(secret, nextCertificate, nextKey, now)
	}
	if now.Sub(next.certificate.NotBefore.Add(backdate)) < r.Schedule.Overlap {
		return "", nil
	}
	d[previousCertificate], d[currentCertificate], d[currentKey] = d[currentCertificate], d[nextCertificate], d[nextKey]
	delete(d, nextCertificate)
	delete(d, nextKey)
	return "the next CA signs from now on", nil
}

// storeNewCA makes a CA and puts it into the Secret.
func (r *Rotator) storeNewCA(secret *corev1.Secret, certificate, key string, now time.Time) error {
	ca, err := newAuthority(now, r.Schedule.CALifetime)
	if err != nil {
		return err
	}
	secret.Data[certificate], secret.Data[key], err = ca.encodePEM()
	return err
}

// updateCABundles puts the CAs into the webhook configuration where they are not, and returns the names that its webhooks are called by.
func (r *Rotator) updateCABundles(ctx context.Context, configuration *admissionregistrationv1.ValidatingWebhookConfiguration, bundle []byte) (names []string, err error) {
	changed := false
	for i := range configuration.Webhooks {
		client := &configuration.Webhooks[i].ClientConfig
		hosts, err := serverNames(*client)
		if err != nil {
			return nil, err
		}
		names = append(names, hosts...)
		if !bytes.Equal(client.CABundle, bundle) {
			client.CABundle, changed = bundle, true
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if !changed {
		return names, nil
	}
	_, err = r.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, configuration, metav1.UpdateOptions{})
	if err == nil {
		r.Log.Info("the CA is in the webhook configuration", "name", r.WebhookConfiguration)
	} else if apierrors.IsConflict(err) {
		r.Log.V(1).Info("somebody else has changed the webhook configuration", "name", r.WebhookConfiguration)
	}
	return names, err
}

// serverNames are the names that the API server calls a webhook by.
func serverNames(config admissionregistrationv1.WebhookClientConfig) ([]string, error) {
	if s := config.Service; s != nil {
		host := s.Name + "." + s.Namespace + ".svc"
		return []string{host, host + ".cluster.local"}, nil
	}
	address, err := url.Parse(*cmp.Or(config.URL, new(string)))
	if err != nil {
		return nil, err
	}
	return []string{address.Hostname()}, nil
}
