package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

// environment is a control plane with all objects that the payloads need, and the webhook servers.
type environment struct {
	*cluster.Cluster
	api     *kubernetes.Clientset
	servers []*serverProcess // references first, kfp-preflight last
}

// referenceServers are the webhooks of package floor that kfp-preflight is compared with, the cheapest first.
var referenceServers = []string{"transport", "yes", "argo-types"}

// preflight is the name of the server under measurement, and of its webhook configuration.
const preflight = "kfp-preflight"

// memoryLimit is the value that kfp-preflight derives from the memory limit of the shipped Deployment.
const memoryLimit = "GOMEMLIMIT=102MiB"

// newEnvironment starts everything. The caller must call stop, even after an error.
func newEnvironment(ctx context.Context) (*environment, error) {
	e := &environment{}
	var err error
	fmt.Println("starting etcd and kube-apiserver")
	if e.Cluster, err = cluster.Start(ctx, "."); err != nil {
		return e, err
	}
	if err := e.Install(ctx, "manifests/base"); err != nil {
		return e, err
	}
	if e.api, err = kubernetes.NewForConfig(e.Admin); err != nil {
		return e, err
	}
	// The API server must not call the webhook while it is measured directly.
	if err := e.api.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, preflight, metav1.DeleteOptions{}); err != nil {
		return e, err
	}
	if err := e.createDependencies(ctx); err != nil {
		return e, err
	}
	program, err := os.Executable()
	if err != nil {
		return e, err
	}
	for _, name := range referenceServers {
		address, err := freeAddress()
		if err != nil {
			return e, err
		}
		p, err := startServer(ctx, name, address, e.Dir, program, "-serve", name, "-address", address, "-certificates", e.CertDir)
		if err != nil {
			return e, err
		}
		e.servers = append(e.servers, p)
	}
	return e, e.startPreflight(ctx)
}

// startPreflight starts kfp-preflight with the ServiceAccount of the shipped manifests.
func (e *environment) startPreflight(ctx context.Context) error {
	p, err := startServer(ctx, preflight, e.WebhookAddress, e.Dir, "env", memoryLimit, "bin/kfp-preflight", "serve",
		"--kubeconfig", filepath.Join(e.Dir, "webhook.kubeconfig"), "--tls-dir", e.CertDir,
		"--webhook-address", e.WebhookAddress, "--probe-address", "127.0.0.1:0", "--metrics-address", "0")
	if err == nil {
		e.servers = append(e.servers, p)
	}
	return err
}

// server returns the server with the name. It panics if there is none.
func (e *environment) server(name string) *serverProcess {
	for _, p := range e.servers {
		if p.name == name {
			return p
		}
	}
	panic("no server named " + name)
}

func freeAddress() (string, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return socket.Addr().String(), socket.Close()
}

// createDependencies creates the objects that the payloads need, as Kubeflow would.
func (e *environment) createDependencies(ctx context.Context) error {
	createOptions := metav1.CreateOptions{}
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	add(e.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: payload.Namespace}}, createOptions))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default-editor"}}
	add(e.api.CoreV1().ServiceAccounts(payload.Namespace).Create(ctx, account, createOptions))
	add(e.api.CoreV1().ConfigMaps("kubeflow").Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "workflow-controller-configmap"},
		Data:       map[string]string{"executor": "imagePullPolicy: IfNotPresent\n"},
	}, createOptions))
	secrets := map[string]bool{}
	for _, p := range payload.All() {
		for _, name := range p.Secrets {
			if secrets[name] {
				continue
			}
			secrets[name] = true
			add(e.api.CoreV1().Secrets(payload.Namespace).Create(ctx, newSecret(name), createOptions))
		}
	}
	return errors.Join(errs...)
}

func newSecret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"password": "not-for-logs"}}
}

func (e *environment) stop() error {
	var errs []error
	for _, p := range e.servers {
		errs = append(errs, p.stop())
	}
	if e.Cluster != nil {
		errs = append(errs, e.Stop())
	}
	return errors.Join(errs...)
}
