package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

const secretsPerNamespace = 10

// measureMemory compares the memory of kfp-preflight after the same reviews in a small cluster and in a large one.
func (e *environment) measureMemory(ctx context.Context, o options) error {
	if o.namespaces == 0 {
		return nil
	}
	fmt.Println("\nMemory of kfp-preflight after 3000 reviews of a small Workflow, in MiB")
	empty, err := e.memoryAfterReviews(ctx, []string{payload.Namespace})
	if err != nil {
		return err
	}
	fmt.Printf("%-60s %6.1f\n", "one namespace", empty)
	namespaces, err := e.createNamespaces(ctx, o.namespaces)
	if err != nil {
		return err
	}
	full, err := e.memoryAfterReviews(ctx, namespaces)
	if err != nil {
		return err
	}
	label := fmt.Sprintf("%d namespaces with %d Secrets, and reviews in all of them", len(namespaces), secretsPerNamespace*len(namespaces))
	fmt.Printf("%-60s %6.1f  ratio %.2f\n", label, full, full/empty)
	return nil
}

// memoryAfterReviews restarts kfp-preflight, sends it reviews of Workflows in the namespaces, and returns its
// memory in MiB.
func (e *environment) memoryAfterReviews(ctx context.Context, namespaces []string) (float64, error) {
	last := len(e.servers) - 1
	if err := e.servers[last].stop(); err != nil {
		return 0, err
	}
	e.servers = e.servers[:last]
	if err := e.startPreflight(ctx); err != nil {
		return 0, err
	}
	client := newReviewClient()
	defer client.CloseIdleConnections()
	p := payload.Small()
	body := p.Review(p.Allowed)
	for i := range 3000 {
		namespace := []byte(`"namespace":"` + namespaces[i%len(namespaces)] + `"`)
		inNamespace := bytes.ReplaceAll(body, []byte(`"namespace":"`+payload.Namespace+`"`), namespace)
		m := measurement{server: e.server(preflight), payload: p, body: inNamespace, wantInAnswer: []byte(`"allowed":true`)}
		if err := m.post(ctx, client); err != nil {
			return 0, err
		}
	}
	now, _ := e.server(preflight).memory()
	return now, nil
}

// createNamespaces creates namespaces with Secrets in parallel, and returns their names.
func (e *environment) createNamespaces(ctx context.Context, count int) (namespaces []string, err error) {
	var lock sync.Mutex
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := worker; i < count && ctx.Err() == nil; i += 8 {
				name := fmt.Sprintf("crowd-%d", i)
				createErr := e.createNamespace(ctx, name)
				lock.Lock()
				namespaces, err = append(namespaces, name), errors.Join(err, createErr)
				lock.Unlock()
			}
		})
	}
	workers.Wait()
	return namespaces, errors.Join(err, ctx.Err())
}

// createNamespace creates a namespace with what the small Workflow needs, and with more Secrets.
func (e *environment) createNamespace(ctx context.Context, namespace string) error {
	createOptions := metav1.CreateOptions{}
	_, err := e.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, createOptions)
	errs := []error{err}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default-editor"}}
	_, err = e.api.CoreV1().ServiceAccounts(namespace).Create(ctx, account, createOptions)
	errs = append(errs, err)
	for i := range secretsPerNamespace {
		_, err := e.api.CoreV1().Secrets(namespace).Create(ctx, newSecret(fmt.Sprintf("credentials-%d", i)), createOptions)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
