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

// Load creates Workflows without a pause, and knows what must become of each: half of them must be let in, half must be denied.
type Load struct {
	lock    sync.Mutex
	stats   LoadStats
	stop    chan struct{}
	workers sync.WaitGroup
}

// LoadStats are what became of the Workflows.
type LoadStats struct {
	Created, Denied int
	// Unexpected are those that became of what they should not have.
	Unexpected []error
}

// Expected is how many calls came out as they should.
func (c LoadStats) Expected() int { return c.Created + c.Denied }

var workflowResource = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}

// StartLoad starts workers that create Workflows in one namespace after the other until Stop. With dryRun nothing stays.
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

// newWorkflow is a Workflow that can run, or one that needs a Secret that is not there.
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
		l.stats.Unexpected = append(l.stats.Unexpected, errors.New("what must be denied was let in"))
	default:
		l.stats.Unexpected = append(l.stats.Unexpected, fmt.Errorf("%s: %w", time.Now().Format(time.StampMilli), err))
	}
}

func isMissingSecretDenial(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "workflow-secret-missing")
}

// Stats are those so far.
func (l *Load) Stats() LoadStats {
	l.lock.Lock()
	defer l.lock.Unlock()
	return LoadStats{l.stats.Created, l.stats.Denied, slices.Clone(l.stats.Unexpected)}
}

// Stop ends the load, and returns all calls.
func (l *Load) Stop() LoadStats {
	close(l.stop)
	l.workers.Wait()
	return l.Stats()
}

// WaitForDenial waits until bad Workflows are denied in a namespace, which says that all parts have found each other.
func (c *Cluster) WaitForDenial(ctx context.Context, namespace string, timeout time.Duration) error {
	client, err := dynamic.NewForConfig(c.Admin)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(200 * time.Millisecond) {
		_, err := client.Resource(workflowResource).Namespace(namespace).Create(ctx, newWorkflow(true), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if isMissingSecretDenial(err) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("what must be denied is not: %w", err)
		}
	}
}
