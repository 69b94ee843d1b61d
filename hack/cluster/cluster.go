// Package cluster starts a real control plane for tests, benchmarks and the demo.
//
// Start runs etcd and kube-apiserver as processes and installs the CRDs of Argo and Kubeflow. Install
// applies the shipped manifests and only changes the address of the webhook. StartControllers adds
// controllers of kube-controller-manager, Node adds a node that runs kfp-preflight as pods do, and
// StartLoad creates Workflows.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	sigsyaml "sigs.k8s.io/yaml"
)

// The ServiceAccount of the shipped Deployment, and its namespace.
const serviceAccount, namespace = "kfp-preflight", "kfp-preflight"

// Cluster is a running control plane.
type Cluster struct {
	// Admin is the client configuration of a cluster admin.
	Admin *rest.Config
	// Webhook is the client configuration of the shipped ServiceAccount, with the permissions of the shipped
	// RBAC rules. Install sets it.
	Webhook *rest.Config
	// WebhookAddress is the HOST:PORT at which the API server calls the webhook. The webhook must serve with
	// the certificate in CertDir. Install sets both.
	WebhookAddress, CertDir string
	// Dir contains the files admin.kubeconfig and webhook.kubeconfig, and logs. Stop removes it.
	Dir string

	root           string
	cleanups       []func() error // run in reverse order by Stop
	env            *envtest.Environment
	webhookInstall envtest.WebhookInstallOptions
}

// Option changes the configuration of a cluster before it starts.
type Option func(*Cluster) error

// Start starts the control plane that was built in the repository at root, or the one in KUBEBUILDER_ASSETS.
// The caller must call Stop, even if Start returns an error.
func Start(ctx context.Context, root string, options ...Option) (*Cluster, error) {
	c := &Cluster{root: root}
	crds, err := argoCRDs(ctx, root)
	if err != nil {
		return c, err
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(root, "bin")
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		return c, fmt.Errorf("no control plane in %s (run 'make controlplane' to build it): %w", assets, err)
	}
	if c.Dir, err = os.MkdirTemp("", "kfp-preflight-"); err != nil {
		return c, err
	}
	c.env = &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{crds, filepath.Join(root, "hack", "crds")},
		ErrorIfCRDPathMissing: true,
		// The machine may be slow right after it has built the programs.
		ControlPlaneStartTimeout: time.Minute,
		ControlPlaneStopTimeout:  time.Minute,
	}
	for _, option := range options {
		if err := option(c); err != nil {
			return c, err
		}
	}
	if c.Admin, err = c.env.Start(); err != nil {
		return c, fmt.Errorf("starting the control plane: %w", err)
	}
	c.Admin.QPS = -1
	return c, writeKubeconfig(c.Admin, filepath.Join(c.Dir, "admin.kubeconfig"))
}

// argoCRDs returns the directory of the CRDs in Argo's own module.
func argoCRDs(ctx context.Context, root string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-workflows/v3")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("finding Argo's module: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "manifests", "base", "crds", "minimal"), nil
}

// Kubectl returns the path of the kubectl that belongs to this control plane.
func (c *Cluster) Kubectl() string { return filepath.Join(c.env.BinaryAssetsDirectory, "kubectl") }

// Install applies a kustomization of the repository, such as manifests/base. It replaces the Service in the
// webhook configuration by an address on this machine, and applies everything else unchanged.
func (c *Cluster) Install(ctx context.Context, kustomization string) error {
	// Argo is installed before kfp-preflight.
	if err := c.apply(ctx, []byte("{apiVersion: v1, kind: Namespace, metadata: {name: kubeflow}}")); err != nil {
		return err
	}
	documents, err := c.Render(ctx, kustomization)
	if err != nil {
		return err
	}
	var others bytes.Buffer
	for _, document := range documents {
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration
		if err := sigsyaml.Unmarshal(document, &configuration); err != nil {
			return err
		}
		if configuration.Kind == "ValidatingWebhookConfiguration" {
			c.webhookInstall.ValidatingWebhooks = append(c.webhookInstall.ValidatingWebhooks, &configuration)
			continue
		}
		fmt.Fprintf(&others, "---\n%s\n", document)
	}
	if err := c.apply(ctx, others.Bytes()); err != nil {
		return err
	}
	if err := c.webhookInstall.Install(c.Admin); err != nil {
		return fmt.Errorf("installing the webhook configuration: %w", err)
	}
	c.WebhookAddress = fmt.Sprintf("%s:%d", c.webhookInstall.LocalServingHost, c.webhookInstall.LocalServingPort)
	c.CertDir = c.webhookInstall.LocalServingCertDir
	if c.Webhook, err = c.asServiceAccount(ctx, serviceAccount); err != nil {
		return err
	}
	return writeKubeconfig(c.Webhook, filepath.Join(c.Dir, "webhook.kubeconfig"))
}

// Render builds a kustomization of the repository and returns each of its objects as YAML.
func (c *Cluster) Render(ctx context.Context, kustomization string) ([][]byte, error) {
	cmd := exec.CommandContext(ctx, c.Kubectl(), "kustomize", filepath.Join(c.root, kustomization))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", kustomization, err)
	}
	return Documents(out)
}

// Apply applies a kustomization of the repository unchanged.
func (c *Cluster) Apply(ctx context.Context, kustomization string) error {
	documents, err := c.Render(ctx, kustomization)
	if err != nil {
		return err
	}
	return c.apply(ctx, bytes.Join(documents, []byte("\n---\n")))
}

// Documents splits a YAML stream into its documents.
func Documents(text []byte) ([][]byte, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var out [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, document)
	}
}

// apply applies manifests server-side, with strict field validation.
func (c *Cluster) apply(ctx context.Context, manifests []byte) error {
	cmd := exec.CommandContext(ctx, c.Kubectl(), "--kubeconfig", filepath.Join(c.Dir, "admin.kubeconfig"),
		"apply", "--server-side", "--validate=strict", "-f", "-")
	cmd.Stdin = bytes.NewReader(manifests)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("applying manifests: %w\n%s", err, out)
	}
	return nil
}

// Kubeconfig writes a kubeconfig for a ServiceAccount in the namespace of kfp-preflight, and returns the file
// name.
func (c *Cluster) Kubeconfig(ctx context.Context, serviceAccount string) (string, error) {
	config, err := c.asServiceAccount(ctx, serviceAccount)
	if err != nil {
		return "", err
	}
	file := filepath.Join(c.Dir, serviceAccount+".kubeconfig")
	return file, writeKubeconfig(config, file)
}

// asServiceAccount returns a client configuration with a token that the API server issued for the
// ServiceAccount.
func (c *Cluster) asServiceAccount(ctx context.Context, serviceAccount string) (*rest.Config, error) {
	client, err := kubernetes.NewForConfig(c.Admin)
	if err != nil {
		return nil, err
	}
	token, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(24 * 60 * 60))},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("getting a token for the ServiceAccount %s: %w", serviceAccount, err)
	}
	config := rest.AnonymousClientConfig(c.Admin)
	config.BearerToken = token.Status.Token
	return config, nil
}

func writeKubeconfig(config *rest.Config, path string) error {
	const name = "kfp-preflight"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			Token: config.BearerToken, ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)
}

// WebhookConfiguration returns a copy of the installed webhook configuration, with the address on this machine.
func (c *Cluster) WebhookConfiguration() *admissionregistrationv1.ValidatingWebhookConfiguration {
	return c.webhookInstall.ValidatingWebhooks[0].DeepCopy()
}

// Stop stops everything that was started and removes all files.
func (c *Cluster) Stop() error {
	var errs []error
	for i := range c.cleanups {
		errs = append(errs, c.cleanups[len(c.cleanups)-1-i]())
	}
	if c.env != nil {
		errs = append(errs, c.env.Stop())
	}
	errs = append(errs, c.webhookInstall.Cleanup())
	if c.Dir != "" {
		errs = append(errs, os.RemoveAll(c.Dir))
	}
	return errors.Join(errs...)
}
