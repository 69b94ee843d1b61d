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

// site is a control plane with what the payloads need, and the webhook servers.
type site struct {
	*cluster.Cluster
	api       *kubernetes.Clientset
	processes []*process // the floor first, kfp-preflight last
}

// floors are the webhooks that do less, from the least on.
var floors = []string{"transport", "yes", "argo-types"}

const own = "kfp-preflight"

// memory is what kfp-preflight makes of the limit that its manifests set.
const memory = "GOMEMLIMIT=102MiB"

func newSite(ctx context.Context) (*site, error) {
	s := &site{}
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
	if err := s.api.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(ctx, own, metav1.DeleteOptions{}); err != nil {
		return s, err
	}
	if err := s.populate(ctx); err != nil {
		return s, err
	}
	program, err := os.Executable()
	if err != nil {
		return s, err
	}
	for _, name := range floors {
		address, err := freeAddress()
		if err != nil {
			return s, err
		}
		p, err := start(ctx, name, address, s.Dir, program, "-serve", name, "-address", address, "-certificates", s.CertDir)
		if err != nil {
			return s, err
		}
		s.processes = append(s.processes, p)
	}
	return s, s.startOwn(ctx)
}

// startOwn starts kfp-preflight as the ServiceAccount of its manifests.
func (s *site) startOwn(ctx context.Context) error {
	p, err := start(ctx, own, s.WebhookAddress, s.Dir, "env", memory, "bin/kfp-preflight", "serve",
		"--kubeconfig", filepath.Join(s.Dir, "webhook.kubeconfig"), "--tls-dir", s.CertDir,
		"--webhook-address", s.WebhookAddress, "--probe-address", "127.0.0.1:0", "--metrics-address", "0")
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return err
}

// named is one of the webhook servers.
func (s *site) named(name string) *process {
	for _, p := range s.processes {
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

// populate makes what the payloads need, as Kubeflow has it.
func (s *site) populate(ctx context.Context) error {
	make := metav1.CreateOptions{}
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	add(s.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: payload.Namespace}}, make))
	add(s.api.CoreV1().ServiceAccounts(payload.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default-editor"}}, make))
	add(s.api.CoreV1().ConfigMaps("kubeflow").Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "workflow-controller-configmap"},
		Data:       map[string]string{"executor": "imagePullPolicy: IfNotPresent\n"},
	}, make))
	secrets := map[string]bool{}
	for _, p := range payload.All() {
		for _, name := range p.Secrets {
			if secrets[name] {
				continue
			}
			secrets[name] = true
			add(s.api.CoreV1().Secrets(payload.Namespace).Create(ctx, newSecret(name), make))
		}
	}
	return errors.Join(errs...)
}

func newSecret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"password": "not-for-logs"}}
}

func (s *site) stop() error {
	var errs []error
	for _, p := range s.processes {
		errs = append(errs, p.stop())
	}
	if s.Cluster != nil {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}
