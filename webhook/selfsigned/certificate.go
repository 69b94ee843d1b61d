package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// backdate is how long before its creation a certificate becomes valid, so that clients with slow clocks accept it.
const backdate = 5 * time.Minute

// authority is a CA with its private key.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority creates a CA that is valid for lifetime from now.
func newAuthority(now time.Time, lifetime time.Duration) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newCertificateTemplate(now, lifetime)
	if err != nil {
		return nil, err
	}
	// The serial number in the name distinguishes a CA from its successor while both are trusted.
	template.Subject = pkix.Name{CommonName: fmt.Sprintf("kfp-preflight-ca-%x", template.SerialNumber.Bytes()[:4])}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(raw)
	return &authority{certificate, key}, err
}

// sign issues a serving certificate, with a new key, for names. A name is a DNS name or an IP address.
func (a *authority) sign(now time.Time, lifetime time.Duration, names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newCertificateTemplate(now, lifetime)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: "kfp-preflight"}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(raw)
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}, err
}

// newCertificateTemplate returns a template with a serial number and the validity.
func newCertificateTemplate(now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	serial.SetBit(serial, 126, 1) // all serial numbers have the same length
	return &x509.Certificate{SerialNumber: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime)}, nil
}

// encodePEM returns the certificate and the key as PEM.
func (a *authority) encodePEM() (certificate, key []byte, err error) {
	certificate, err = cert.EncodeCertificates(a.certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(a.key)
	return certificate, key, err
}

// parseAuthority is the inverse of encodePEM. It returns an error if the key does not belong to the certificate.
func parseAuthority(certificate, key []byte) (*authority, error) {
	certificates, err := cert.ParseCertsPEM(certificate)
	if err != nil {
		return nil, err
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(key)
	if err != nil {
		return nil, err
	}
	signer, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(certificates[0].PublicKey) {
		return nil, errors.New("the key does not belong to the certificate")
	}
	return &authority{certificates[0], signer}, nil
}

// elapsedFraction returns the elapsed part of the lifetime of c: 0 when it is issued, 1 when it expires.
func elapsedFraction(c *x509.Certificate, now time.Time) float64 {
	issued := c.NotBefore.Add(backdate)
	return float64(now.Sub(issued)) / float64(c.NotAfter.Sub(issued))
}

// isExpired reports whether a PEM certificate has expired or can't be read. No certificate at all has not expired.
func isExpired(pem []byte, now time.Time) bool {
	if len(pem) == 0 {
		return false
	}
	certificates, err := cert.ParseCertsPEM(pem)
	return err != nil || now.After(certificates[0].NotAfter)
}
