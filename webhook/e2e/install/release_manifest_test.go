package install

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRelease installs kfp-preflight from the rendered file of a release, checks the denial that the README shows, and turns
// kfp-preflight off as the documentation says.
func TestRelease(t *testing.T) {
	tc := newTestCluster(t)
	tc.addNode()
	image := "REGISTRY/kfp-preflight@sha256:" + strings.Repeat("0", 64)
	tc.mustRun(filepath.Join(mustAbs(t, repoRoot), "hack", "render") + " " + strings.ToLower(image) + " " + tc.dir)
	tc.mustRun("kubectl apply -f install-self-signed.yaml && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s")
	pods, err := tc.api.CoreV1().Pods("kfp-preflight").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if got := pod.Spec.Containers[0].Image; got != strings.ToLower(image) {
			t.Errorf("the image is %s", got)
		}
		if pod.Status.QOSClass != corev1.PodQOSBurstable || pod.Spec.Priority == nil || *pod.Spec.Priority < 2_000_000_000 {
			t.Errorf("the pod has QoS class %s and priority %v", pod.Status.QOSClass, pod.Spec.Priority)
		}
	}
	tc.mustRun("kubectl create namespace team-b")
	if err := tc.WaitForDenial(t.Context(), "team-b", time.Minute); err != nil {
		t.Fatal(err)
	}
	const bad = "kubectl apply -f testdata/profile/profile-quota-compute/deny-cpu-and-memory.yaml"
	const denial = `The Profile "team-a" is invalid: spec.resourceQuotaSpec.hard[cpu]: profile-quota-compute: `
	if out, err := tc.shell(bad); err == nil || !strings.Contains(out, denial) {
		t.Errorf("%v\n%s", err, out)
	}
	tc.mustRun("kubectl delete validatingwebhookconfiguration kfp-preflight")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, err := tc.shell(bad)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the webhook is still called: %s", out)
		}
	}
	tc.checkNode()
}
