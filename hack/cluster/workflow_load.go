package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Load creates Workflows as fast as it can. Half of them must be admitted, the other half denied.
type Load struct {
	lock    sync.Mutex
	stats   LoadStats
	stop    chan struct{}
	workers sync.WaitGroup
}

// LoadStats counts the results of create requests.
type LoadStats struct {
	Created, Denied int
	// Unexpected has an error for each request that failed, or that was admitted but should have been denied.
	Unexpected []error
}

// Expected returns the number of requests with the expected result.
func (c LoadStats) Expected() int { return c.Created + c.Denied }

var workflowResource = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}

// StartLoad starts workers that create Workflows, spread over the namespaces, until Stop. With dryRun, the API
// server stores none of them.
func StartLoad(ctx context.Context, config *rest.Config, namespaces []string, workers int, dryRun bool) (*Load, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	options := metav1.CreateOptions{}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	l := &Load{stop: make(chan struct{})}
	for worker := range workers {
		l.workers.Go(func() {
			for i := worker; ; i++ {
				select {
				case <-l.stop:
					return
				default:
				}
				bad := i%2 == 1
				_, err := client.Resource(workflowResource).Namespace(namespaces[i/2*7%len(namespaces)]).Create(ctx, newWorkflow(bad), options)
				l.record(bad, err)
			}
		})
	}
	return l, nil
}

// newWorkflow returns a Workflow that can run or, if bad, one that needs a Secret which does not exist.
func newWorkflow(bad bool) *unstructured.Unstructured {
	container := map[string]any{"image": "busybox"}
	if bad {
		container["envFrom"] = []any{map[string]any{"secretRef": map[string]any{"name": "nowhere"}}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": map[string]any{"generateName": "run-"},
		"spec": map[string]any{"entrypoint": "main", "templates": []any{map[string]any{"name": "main", "container": container}}},
	}}
}

func (l *Load) record(bad bool, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	switch {
	case !bad && err == nil:
		l.stats.Created++
	case bad && isMissingSecretDenial(err):
		l.stats.Denied++
	case bad && err == nil:
		l.stats.Unexpected = append(l.stats.Unexpected, errors.New("a Workflow that must be denied was admitted"))
	default:
		l.stats.Unexpected = append(l.stats.Unexpected, fmt.Errorf("%s: %w", time.Now().Format(time.StampMilli), err))
	}
}

func isMissingSecretDenial(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "workflow-secret-missing")
}

// Stats returns the results so far.
func (l *Load) Stats() LoadStats {
	l.lock.Lock()
	defer l.lock.Unlock()
	return LoadStats{l.stats.Created, l.stats.Denied, slices.Clone(l.stats.Unexpected)}
}

// Stop stops the workers and returns the final results.
func (l *Load) Stop() LoadStats {
	close(l.stop)
	l.workers.Wait()
	return l.Stats()
}

// WaitForDenial waits until a bad Workflow is denied in the namespace. From then on, the API server reaches the
// webhook.
func (c *Cluster) WaitForDenial(ctx context.Context, namespace string, timeout time.Duration) error {
	client, err := dynamic.NewForConfig(c.Admin)
	if err != nil {
		return err
	}
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	for deadline := time.Now().Add(timeout); ; time.Sleep(200 * time.Millisecond) {
		_, err := client.Resource(workflowResource).Namespace(namespace).Create(ctx, newWorkflow(true), dryRun)
		if isMissingSecretDenial(err) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a Workflow that must be denied was not, for %s: %w", timeout, err)
		}
	}
}
