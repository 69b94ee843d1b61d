package selfsigned

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The keys of the Secret. Serving certificates are signed by the current CA. The next CA replaces it after the
// overlap. Of the previous CA, only the certificate remains.
const (
	currentCertificate, currentKey = "ca.crt", "ca.key"
	nextCertificate, nextKey       = "next.crt", "next.key"
	previousCertificate            = "last.crt"
)

// syncSecret renews the CAs in the Secret if due. It returns the current CA, and the certificates of all CAs to trust
// as a PEM bundle.
func (r *Rotator) syncSecret(ctx context.Context, now time.Time) (current *authority, bundle []byte, err error) {
	secrets := r.Client.CoreV1().Secrets(r.Namespace)
	secret, err := secrets.Get(ctx, r.Secret, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	step, err := r.renewCA(secret, now)
	if err != nil {
		return nil, nil, err
	}
	if step != "" {
		if secret, err = secrets.Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
			return nil, nil, err
		}
		r.Log.Info("updated the CA", "step", step)
	}
	current, err = parseAuthority(secret.Data[currentCertificate], secret.Data[currentKey])
	bundle = slices.Concat(secret.Data[currentCertificate], secret.Data[nextCertificate], secret.Data[previousCertificate])
	return current, bundle, err
}

// renewCA takes the next step of the rotation in secret, if one is due, and describes it for the log. It returns "" if
// there is nothing to do.
func (r *Rotator) renewCA(secret *corev1.Secret, now time.Time) (step string, err error) {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	d := secret.Data
	current, err := parseAuthority(d[currentCertificate], d[currentKey])
	if len(d[currentCertificate]) == 0 || err == nil && elapsedFraction(current.certificate, now) >= 1 {
		delete(d, nextCertificate) // stale: the rotation was interrupted for too long
		delete(d, nextKey)
		return "created a CA", r.storeNewCA(secret, currentCertificate, currentKey, now)
	}
	if err != nil {
		return "", fmt.Errorf("its CA can't be read; delete its data to create a new CA: %w", err)
	}
	if isExpired(d[previousCertificate], now) {
		delete(d, previousCertificate)
		return "removed the previous CA, which has expired", nil
	}
	if len(d[nextCertificate]) == 0 {
		if elapsedFraction(current.certificate, now) < 2./3 {
			return "", nil
		}
		return "created the next CA, to be trusted from now on", r.storeNewCA(secret, nextCertificate, nextKey, now)
	}
	next, err := parseAuthority(d[nextCertificate], d[nextKey])
	if err != nil {
		return "replaced the next CA, which could not be read", r.storeNewCA(secret, nextCertificate, nextKey, now)
	}
	if now.Sub(next.certificate.NotBefore.Add(backdate)) < r.Schedule.Overlap {
		return "", nil
	}
	d[previousCertificate], d[currentCertificate], d[currentKey] = d[currentCertificate], d[nextCertificate], d[nextKey]
	delete(d, nextCertificate)
	delete(d, nextKey)
	return "the next CA is now the current one", nil
}

// storeNewCA creates a CA and stores its certificate and key under the given keys of secret.
func (r *Rotator) storeNewCA(secret *corev1.Secret, certificate, key string, now time.Time) error {
	ca, err := newAuthority(now, r.Schedule.CALifetime)
	if err != nil {
		return err
	}
	secret.Data[certificate], secret.Data[key], err = ca.encodePEM()
	return err
}
