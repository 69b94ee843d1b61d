package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// TestSavedCases submits the pods in testdata, each to a namespace with the objects of the same file.
func TestSavedCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, class := range []string{"low", "high"} {
		createIfAbsent(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Value: 1})
	}
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			n, pod := readCase(t, file, fmt.Sprintf("case-%d", i))
			time.Sleep(time.Second) // until the API server's admission plugins have seen it
			if _, disagreement := n.compare(t, pod); disagreement != "" {
				t.Error(disagreement)
			}
		})
	}
}

// readCase reads a file of testdata, creates its objects in a new namespace and returns its pod.
func readCase(t *testing.T, file, namespace string) (testNamespace, *corev1.Pod) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := cluster.Documents(raw)
	if err != nil {
		t.Fatal(err)
	}
	n := testNamespace{name: namespace, model: quota.Namespace{Minor: minor}}
	var objects []client.Object
	var pod *corev1.Pod
	for _, document := range documents {
		decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch o := decoded.(type) {
		case *corev1.Pod:
			pod = o
		case *schedulingv1.PriorityClass:
			createIfAbsent(t, o)
			t.Cleanup(func() { _ = admin.Delete(context.Background(), o) })
			n.model.DefaultPriorityClass = o.Name
		default:
			objects = append(objects, o.(client.Object))
		}
	}
	n.create(t, objects)
	return n, pod
}
