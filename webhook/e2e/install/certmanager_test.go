package install

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// fakeCertManager does what cert-manager does with the Certificates of the overlay: it signs, writes Secrets, and has the CA of the serving
// certificate's Secret in the webhook configuration at once. Source: cert-manager v1.21 pkg/controller/cainjector/sources.go,
// internal/controller/certificates/policies/checks.go (a new CA does not make it renew what the last one signed).
type fakeCertManager struct{ *testCluster }

var certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

// certificate reads a Certificate that the overlay has brought.
func (c fakeCertManager) certificate(name string) *unstructured.Unstructured {
	c.t.Helper()
	client, err := dynamic.NewForConfig(c.Admin)
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := client.Resource(certificates).Namespace("kfp-preflight").Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// issue makes what a Certificate asks for, and returns its Secret.
func (c fakeCertManager) issue(name string) *corev1.Secret {
	c.t.Helper()
	spec := c.certificate(name).Object
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(spec, append([]string{"spec"}, path...)...)
		return value
	}
	isCA, _, _ := unstructured.NestedBool(spec, "spec", "isCA")
	names, _, _ := unstructured.NestedStringSlice(spec, "spec", "dnsNames")
	life, err := time.ParseDuration(text("duration"))
	if err != nil {
		c.t.Fatal(err)
	}
	before := c.secret(text("secretName"))
	key := c.privateKey(before, text("privateKey", "rotationPolicy"))
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: text("commonName")}, DNSNames: names, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: time.Now(), NotAfter: time.Now().Add(life), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	signer, parent := key, template
	ca := []byte(nil)
	if isCA {
		template.KeyUsage |= x509.KeyUsageCertSign
	} else {
		issuer := c.secret("kfp-preflight-ca")
		parents, err := cert.ParseCertsPEM(issuer.Data["tls.crt"])
		if err != nil {
			c.t.Fatal(err)
		}
		parent, ca, signer = parents[0], issuer.Data["tls.crt"], c.privateKey(issuer, "Never")
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		c.t.Fatal(err)
	}
	made := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	if isCA {
		ca = made
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		c.t.Fatal(err)
	}
	before.Data = map[string][]byte{"tls.crt": made, "tls.key": keyPEM, "ca.crt": ca}
	before.Type = corev1.SecretTypeTLS
	secrets := c.api.CoreV1().Secrets("kfp-preflight")
	if before.ResourceVersion == "" {
		before, err = secrets.Create(c.t.Context(), before, metav1.CreateOptions{})
	} else {
		before, err = secrets.Update(c.t.Context(), before, metav1.UpdateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return before
}

func (c fakeCertManager) secret(name string) *corev1.Secret {
	c.t.Helper()
	secret, err := c.api.CoreV1().Secrets("kfp-preflight").Get(c.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "kfp-preflight", Name: name}}
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return secret
}

// privateKey is the one in a Secret if it may stay, or a new one.
func (c fakeCertManager) privateKey(secret *corev1.Secret, policy string) *ecdsa.PrivateKey {
	c.t.Helper()
	if policy == "Never" && len(secret.Data["tls.key"]) > 0 {
		parsed, err := keyutil.ParsePrivateKeyPEM(secret.Data["tls.key"])
		if err != nil {
			c.t.Fatal(err)
		}
		return parsed.(*ecdsa.PrivateKey)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	return key
}

// injectCA puts the CA into the webhook configuration that asks for it.
func (c fakeCertManager) injectCA() {
	c.t.Helper()
	configurations := c.api.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	configuration, err := configurations.Get(c.t.Context(), "kfp-preflight", metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	_, from, _ := strings.Cut(configuration.Annotations["cert-manager.io/inject-ca-from"], "/")
	secret, _, _ := unstructured.NestedString(c.certificate(from).Object, "spec", "secretName")
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ClientConfig.CABundle = c.secret(secret).Data["ca.crt"]
	}
	if _, err := configurations.Update(c.t.Context(), configuration, metav1.UpdateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// TestCertManagerRotation has the serving certificate and the CA renewed while Workflows are created and nothing may be let in unjudged.
// The webhook configuration has the new CA before the pods have the new certificate, as is the way with mounted Secrets.
func TestCertManagerRotation(t *testing.T) {
	s := newTestCluster(t)
	s.addNode()
	s.node.VolumeSyncInterval = 3 * time.Second
	c := fakeCertManager{s}
	s.applyCRDs("github.com/cert-manager/cert-manager", "deploy/crds")
	s.writeFile("deploy/kustomization.yaml", kustomization("cert-manager", "fail-closed"))
	s.mustRun("kubectl apply -k deploy")
	c.issue("kfp-preflight-ca")
	c.issue("kfp-preflight")
	c.injectCA()
	s.mustRun("kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s && kubectl create namespace team-a")
	l := startLoad(t, s.Cluster)
	renew := func(name string) {
		before := l.Stats().Expected()
		c.issue(name)
		c.injectCA()
		time.Sleep(2*s.node.VolumeSyncInterval + time.Second)
		t.Logf("%s renewed, %d calls since", name, l.Stats().Expected()-before)
	}
	renew("kfp-preflight")
	renew("kfp-preflight-ca")
	renew("kfp-preflight")
	renew("kfp-preflight-ca")
	renew("kfp-preflight")
	stopLoad(t, l)
	s.checkNode()
}
