package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

const secretsPerNamespace = 10

// measureMemory measures what kfp-preflight has in memory after the same reviews in a cluster that has nothing and in one that has much.
func (s *environment) measureMemory(ctx context.Context, o options) error {
	if o.namespaces == 0 {
		return nil
	}
	fmt.Println("\nWhat kfp-preflight has in memory after 3000 reviews of a small Workflow, in MiB")
	empty, err := s.memoryAfterReviews(ctx, []string{payload.Namespace})
	if err != nil {
		return err
	}
	fmt.Printf("%-60s %6.1f\n", "one namespace", empty)
	namespaces, err := s.createNamespaces(ctx, o.namespaces)
	if err != nil {
		return err
	}
	full, err := s.memoryAfterReviews(ctx, namespaces)
	if err != nil {
		return err
	}
	fmt.Printf("%-60s %6.1f  ratio %.2f\n", fmt.Sprintf("%d namespaces with %d Secrets, and reviews in all of them", len(namespaces), secretsPerNamespace*len(namespaces)), full, full/empty)
	return nil
}

// memoryAfterReviews starts kfp-preflight anew and asks it about Workflows in namespaces.
func (s *environment) memoryAfterReviews(ctx context.Context, namespaces []string) (float64, error) {
	last := len(s.servers) - 1
	if err := s.servers[last].stop(); err != nil {
		return 0, err
	}
	s.servers = s.servers[:last]
	if err := s.startPreflight(ctx); err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, // our own server on this machine
	}}
	defer client.CloseIdleConnections()
	p := payload.Small()
	body := p.Review(p.Allowed)
	for i := range 3000 {
		inNamespace := bytes.ReplaceAll(body, []byte(`"namespace":"`+payload.Namespace+`"`), []byte(`"namespace":"`+namespaces[i%len(namespaces)]+`"`))
		m := measurement{server: s.server(preflight), payload: p, body: inNamespace, wantInAnswer: []byte(`"allowed":true`)}
		if err := m.post(ctx, client); err != nil {
			return 0, err
		}
	}
	now, _ := s.server(preflight).memory()
	return now, nil
}

// createNamespaces makes namespaces with Secrets.
func (s *environment) createNamespaces(ctx context.Context, count int) (namespaces []string, err error) {
	var lock sync.Mutex
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := worker; i < count && ctx.Err() == nil; i += 8 {
				name := fmt.Sprintf("crowd-%d", i)
				createErr := s.createNamespace(ctx, name)
				lock.Lock()
				namespaces, err = append(namespaces, name), errors.Join(err, createErr)
				lock.Unlock()
			}
		})
	}
	workers.Wait()
	return namespaces, errors.Join(err, ctx.Err())
}

// createNamespace makes a namespace with what the small Workflow needs, and other Secrets.
func (s *environment) createNamespace(ctx context.Context, namespace string) error {
	createOptions := metav1.CreateOptions{}
	_, err := s.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, createOptions)
	errs := []error{err}
	_, err = s.api.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default-editor"}}, createOptions)
	errs = append(errs, err)
	for i := range secretsPerNamespace {
		_, err := s.api.CoreV1().Secrets(namespace).Create(ctx, newSecret(fmt.Sprintf("credentials-%d", i)), createOptions)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
