package install

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// load creates Workflows without a pause, and knows what must become of each.
type load struct {
	lock            sync.Mutex
	created, denied int
	wrong           []error
	stopping        chan struct{}
	running         sync.WaitGroup
}

var workflows = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}

// startLoad starts workers that create Workflows in a namespace: half of them must be let in, half must be denied.
func startLoad(t *testing.T, config *rest.Config, namespace string, workers int) *load {
	t.Helper()
	config = rest.CopyConfig(config)
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{stopping: make(chan struct{})}
	for range workers {
		l.running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-l.stopping:
					return
				default:
				}
				bad := i%2 == 1
				_, err := client.Resource(workflows).Namespace(namespace).Create(t.Context(), newRun(bad), metav1.CreateOptions{})
				l.count(bad, err)
			}
		})
	}
	return l
}

// newRun is a Workflow that can run, or one that needs a Secret that is not there.
func newRun(bad bool) *unstructured.Unstructured {
	container := map[string]any{"image": "busybox"}
	if bad {
		container["envFrom"] = []any{map[string]any{"secretRef": map[string]any{"name": "nowhere"}}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": map[string]any{"generateName": "run-"},
		"spec": map[string]any{"entrypoint": "main", "templates": []any{map[string]any{"name": "main", "container": container}}},
	}}
}

func (l *load) count(bad bool, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	switch {
	case !bad && err == nil:
		l.created++
	case bad && apierrors.IsInvalid(err) && strings.Contains(err.Error(), "workflow-secret-missing"):
		l.denied++
	case bad && err == nil:
		l.wrong = append(l.wrong, errors.New("what must be denied was let in"))
	default:
		l.wrong = append(l.wrong, fmt.Errorf("%s: %w", time.Now().Format(time.StampMilli), err))
	}
}

// sofar is how many Workflows were created or denied as they should.
func (l *load) sofar() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.created + l.denied
}

// stop ends the load, and fails the test for each call that went wrong.
func (l *load) stop(t *testing.T) {
	t.Helper()
	close(l.stopping)
	l.running.Wait()
	t.Logf("%d Workflows were created, %d denied, %d calls failed", l.created, l.denied, len(l.wrong))
	for i, err := range l.wrong {
		if i == 5 {
			break
		}
		t.Errorf("call %d that failed: %v", i+1, err)
	}
	if len(l.wrong) > 0 || l.created == 0 || l.denied == 0 {
		t.Errorf("%d of %d calls failed", len(l.wrong), len(l.wrong)+l.created+l.denied)
	}
}

// judged waits until bad Workflows are denied in a namespace, which says that all parts have found each other.
func (s *site) judged(namespace string) {
	s.t.Helper()
	client, err := dynamic.NewForConfig(s.Admin)
	if err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		_, err := client.Resource(workflows).Namespace(namespace).Create(s.t.Context(), newRun(true), metav1.CreateOptions{DryRun: []string{"All"}})
		if apierrors.IsInvalid(err) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("what must be denied is not: %v", errors.Join(err, s.node.Troubles()))
		}
	}
}
