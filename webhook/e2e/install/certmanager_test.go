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

// fakeCertManager does what cert-manager does for the Certificates of the overlay: it signs them, writes the Secrets, and
// immediately injects the CA from the Secret of the serving certificate into the webhook configuration. Like cert-manager, it does
// not renew the certificates that the previous CA signed when it creates a new CA.
//
// Source: cert-manager v1.21 pkg/controller/cainjector/sources.go, internal/controller/certificates/policies/checks.go
type fakeCertManager struct{ *testCluster }

var certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

// certificate returns a Certificate of the overlay.
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

// issue signs a Certificate as its spec says, writes its Secret, and returns the Secret.
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
	secret := c.secret(text("secretName"))
	key := c.privateKey(secret, text("privateKey", "rotationPolicy"))
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
	secret.Data = map[string][]byte{"tls.crt": made, "tls.key": keyPEM, "ca.crt": ca}
	secret.Type = corev1.SecretTypeTLS
	secrets := c.api.CoreV1().Secrets("kfp-preflight")
	if secret.ResourceVersion == "" {
		secret, err = secrets.Create(c.t.Context(), secret, metav1.CreateOptions{})
	} else {
		secret, err = secrets.Update(c.t.Context(), secret, metav1.UpdateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return secret
}

// secret returns a Secret in the namespace of kfp-preflight, or a new one if it does not exist.
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

// privateKey returns the key in the Secret if the rotation policy is Never, or else a new one.
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

// injectCA writes the CA into the webhook configuration, from the Certificate that its annotation names.
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

// TestCertManagerRotation renews the serving certificate and the CA while Workflows are created with failurePolicy Fail. Not one
// request may fail, although the webhook configuration has the new CA before the kubelet mounts the new certificate.
func TestCertManagerRotation(t *testing.T) {
	tc := newTestCluster(t)
	tc.addNode()
	tc.node.VolumeSyncInterval = 3 * time.Second
	c := fakeCertManager{tc}
	tc.applyCRDs("github.com/cert-manager/cert-manager", "deploy/crds")
	tc.writeFile("deploy/kustomization.yaml", kustomization("cert-manager", "fail-closed"))
	tc.mustRun("kubectl apply -k deploy")
	c.issue("kfp-preflight-ca")
	c.issue("kfp-preflight")
	c.injectCA()
	tc.mustRun("kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s && kubectl create namespace team-a")
	load := startLoad(t, tc.Cluster)
	renew := func(name string) {
		before := load.Stats().Expected()
		c.issue(name)
		c.injectCA()
		time.Sleep(2*tc.node.VolumeSyncInterval + time.Second)
		t.Logf("%s renewed, %d requests since", name, load.Stats().Expected()-before)
	}
	renew("kfp-preflight")
	renew("kfp-preflight-ca")
	renew("kfp-preflight")
	renew("kfp-preflight-ca")
	renew("kfp-preflight")
	stopLoad(t, load)
	tc.checkNode()
}
