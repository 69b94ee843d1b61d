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

// environment is a control plane with what the payloads need, and the webhook servers.
type environment struct {
	*cluster.Cluster
	api     *kubernetes.Clientset
	servers []*serverProcess // the floor first, kfp-preflight last
}

// referenceServers are the webhooks that do less, from the least on.
var referenceServers = []string{"transport", "yes", "argo-types"}

const preflight = "kfp-preflight"

// memoryLimit is what kfp-preflight makes of the limit that its manifests set.
const memoryLimit = "GOMEMLIMIT=102MiB"

func newEnvironment(ctx context.Context) (*environment, error) {
	s := &environment{}
	var err error
	fmt.Println("starting a control plane with etcd and kube-apiserver")
	if s.Cluster, err = cluster.Start(ctx, "."); err != nil {
		return s, err
	}
	if err := s.Install(ctx, "manifests/base"); err != nil {
		return s, err
	}
	if s.api, err = kubernetes.NewForConfig(s.Admin); err != nil {
		return s, err
	}
	// Nothing is to be asked while webhooks are called directly.
	if err := s.api.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, preflight, metav1.DeleteOptions{}); err != nil {
		return s, err
	}
	if err := s.createDependencies(ctx); err != nil {
		return s, err
	}
	program, err := os.Executable()
	if err != nil {
		return s, err
	}
	for _, name := range referenceServers {
		address, err := freeAddress()
		if err != nil {
			return s, err
		}
		p, err := startServer(ctx, name, address, s.Dir, program, "-serve", name, "-address", address, "-certificates", s.CertDir)
		if err != nil {
			return s, err
		}
		s.servers = append(s.servers, p)
	}
	return s, s.startPreflight(ctx)
}

// startPreflight starts kfp-preflight as the ServiceAccount of its manifests.
func (s *environment) startPreflight(ctx context.Context) error {
	p, err := startServer(ctx, preflight, s.WebhookAddress, s.Dir, "env", memoryLimit, "bin/kfp-preflight", "serve",
		"--kubeconfig", filepath.Join(s.Dir, "webhook.kubeconfig"), "--tls-dir", s.CertDir,
		"--webhook-address", s.WebhookAddress, "--probe-address", "127.0.0.1:0", "--metrics-address", "0")
	if err == nil {
		s.servers = append(s.servers, p)
	}
	return err
}

// server is one of the webhook servers.
func (s *environment) server(name string) *serverProcess {
	for _, p := range s.servers {
		if p.name == name {
			return p
		}
	}
	panic("no server is called " + name)
}

func freeAddress() (string, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return socket.Addr().String(), socket.Close()
}

// createDependencies makes what the payloads need, as Kubeflow has it.
func (s *environment) createDependencies(ctx context.Context) error {
	createOptions := metav1.CreateOptions{}
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	add(s.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: payload.Namespace}}, createOptions))
	add(s.api.CoreV1().ServiceAccounts(payload.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default-editor"}}, createOptions))
	add(s.api.CoreV1().ConfigMaps("kubeflow").Create(ctx, &corev1.ConfigMap{
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
			add(s.api.CoreV1().Secrets(payload.Namespace).Create(ctx, newSecret(name), createOptions))
		}
	}
	return errors.Join(errs...)
}

func newSecret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"password": "not-for-logs"}}
}

func (s *environment) stop() error {
	var errs []error
	for _, p := range s.servers {
		errs = append(errs, p.stop())
	}
	if s.Cluster != nil {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}
