package selfsigned

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// Rotator issues and renews the serving certificate of this replica and the shared CA, and keeps the CA in the
// webhook configuration. Its exported fields must not change after Start.
type Rotator struct {
	// Client needs permission to get and update the Secret and the webhook configuration.
	Client kubernetes.Interface
	// Namespace and Secret name the Secret that stores the CA. It must exist, but may be empty.
	Namespace, Secret string
	// WebhookConfiguration is the name of the ValidatingWebhookConfiguration. The Rotator writes the CA into
	// its webhooks, and issues the certificate for the host names in their client configurations.
	WebhookConfiguration string
	// Schedule says when certificates are renewed, see DefaultSchedule.
	Schedule Schedule
	// Log receives a line for each renewal and each error.
	Log logr.Logger

	serving atomic.Pointer[servingCertificate]
}

// Schedule says when certificates are renewed. A CA or serving certificate is replaced after two thirds of its
// lifetime.
type Schedule struct {
	CALifetime, ServingLifetime time.Duration
	// Overlap is how long a new CA must be trusted before replicas sign with it.
	Overlap time.Duration
	// Interval is the time between two checks whether a renewal is due.
	Interval time.Duration
}

// DefaultSchedule returns a CA lifetime of ten years and a serving certificate lifetime of 90 days. An overlap of
// one day gives API servers that are temporarily cut off time to see the new CA.
func DefaultSchedule() Schedule {
	return Schedule{
		CALifetime: 10 * 365 * 24 * time.Hour, ServingLifetime: 90 * 24 * time.Hour,
		Overlap: 24 * time.Hour, Interval: 20 * time.Second,
	}
}

// servingCertificate is a serving certificate, with what it was issued from.
type servingCertificate struct {
	*tls.Certificate
	issuer []byte   // the CA certificate, DER
	names  []string // host names
}

// NeedLeaderElection implements manager.LeaderElectionRunnable. It returns false: if two replicas write at the same
// time, the API server rejects one of them with a conflict.
func (*Rotator) NeedLeaderElection() bool { return false }

// GetCertificate implements tls.Config.GetCertificate. It returns an error until the first certificate is issued.
func (r *Rotator) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s := r.serving.Load(); s != nil {
		return s.Certificate, nil
	}
	return nil, errors.New("there is no certificate yet; see the log for the reason")
}

// Start implements manager.Runnable. It renews certificates until ctx is done. It logs errors, retries, and always
// returns nil.
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

// Rotate renews everything that is due at the time now, in this order: the CAs in the Secret, the webhook
// configuration that trusts them, and the serving certificate. So nothing is served that is not trusted yet.
//
// A conflict error means that another replica was faster. The caller then has to call Rotate again.
func (r *Rotator) Rotate(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// Read the webhook configuration before the Secret. If another replica writes newer CAs in between, the update
	// of the webhook configuration then fails with a conflict, and does not replace them by older ones.
	configurations := r.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	configuration, err := configurations.Get(ctx, r.WebhookConfiguration, metav1.GetOptions{})
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
	serving := r.serving.Load()
	if serving != nil && elapsedFraction(serving.Leaf, now) < 2./3 &&
		bytes.Equal(serving.issuer, current.certificate.Raw) && slices.Equal(serving.names, names) {
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
