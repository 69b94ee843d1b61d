package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
)

// ClientCheck restricts the clients to those with a certificate. The zero value accepts all clients.
type ClientCheck struct {
	// CAFile holds the CAs of the clients' certificates, in PEM. The file is read again for each connection.
	CAFile string
	// Names are the accepted common names and DNS names of certificates. If empty, every certificate of the CAs is accepted.
	Names []string
}

// add adds the check to a server's TLS configuration.
func (c ClientCheck) add(config *tls.Config) error {
	if c.CAFile == "" {
		return nil
	}
	if _, err := c.pool(); err != nil {
		return err
	}
	base := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := c.pool()
		if err != nil {
			return nil, err
		}
		checked := base.Clone()
		checked.ClientCAs, checked.ClientAuth = pool, tls.RequireAndVerifyClientCert
		checked.NextProtos = []string{"h2", "http/1.1"}
		checked.VerifyConnection = c.verify
		return checked, nil
	}
	return nil
}

// pool reads the CAs.
func (c ClientCheck) pool() (*x509.CertPool, error) {
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("can't read the CAs of clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s, which should hold the CAs of clients, has no certificate", c.CAFile)
	}
	return pool, nil
}

// verify checks the names in a certificate whose chain has been verified. It also runs for resumed connections.
func (c ClientCheck) verify(state tls.ConnectionState) error {
	if len(c.Names) == 0 {
		return nil
	}
	client := state.PeerCertificates[0]
	for _, name := range append([]string{client.Subject.CommonName}, client.DNSNames...) {
		if slices.Contains(c.Names, name) {
			return nil
		}
	}
	return fmt.Errorf("clients with a certificate for '%.100s' are not accepted", client.Subject.CommonName)
}
