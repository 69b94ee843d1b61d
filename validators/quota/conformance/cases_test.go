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

// TestCases asks about the pods in testdata, each with what its namespace has.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, class := range []string{"low", "high"} {
		create(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Value: 1})
	}
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			w, pod := readWorld(t, file, fmt.Sprintf("case-%d", i))
			time.Sleep(time.Second) // until the API server's plugins have seen it
			if _, why := w.disagrees(t, pod); why != "" {
				t.Error(why)
			}
		})
	}
}

// readWorld makes what a case is made of.
func readWorld(t *testing.T, file, namespace string) (world, *corev1.Pod) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := cluster.Documents(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := world{name: namespace, rules: quota.Namespace{Minor: minor}}
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
			create(t, o)
			t.Cleanup(func() { _ = admin.Delete(context.Background(), o) })
			w.rules.DefaultPriorityClass = o.Name
		default:
			objects = append(objects, o.(client.Object))
		}
	}
	w.fill(t, objects)
	return w, pod
}
