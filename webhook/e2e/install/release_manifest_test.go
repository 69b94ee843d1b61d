package install

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRelease installs from the one file that a release has, sees what the README says that users see, and turns it off.
func TestRelease(t *testing.T) {
	s := newTestCluster(t)
	s.addNode()
	image := "REGISTRY/kfp-preflight@sha256:" + strings.Repeat("0", 64)
	s.mustRun(filepath.Join(mustAbs(t, repoRoot), "hack", "render") + " " + strings.ToLower(image) + " " + s.dir)
	s.mustRun("kubectl apply -f install-self-signed.yaml && kubectl -n kfp-preflight rollout status deployment/kfp-preflight --timeout=60s")
	pods, err := s.api.CoreV1().Pods("kfp-preflight").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if got := pod.Spec.Containers[0].Image; got != strings.ToLower(image) {
			t.Errorf("the image is %s", got)
		}
		if pod.Status.QOSClass != corev1.PodQOSBurstable || pod.Spec.Priority == nil || *pod.Spec.Priority < 2_000_000_000 {
			t.Errorf("the pod is %s, with priority %v", pod.Status.QOSClass, pod.Spec.Priority)
		}
	}
	s.mustRun("kubectl create namespace team-b")
	if err := s.WaitForDenial(t.Context(), "team-b", time.Minute); err != nil {
		t.Fatal(err)
	}
	const bad = "kubectl apply -f testdata/profile/profile-quota-compute/deny-cpu-and-memory.yaml"
	if out, err := s.shell(bad); err == nil || !strings.Contains(out, `The Profile "team-a" is invalid: spec.resourceQuotaSpec.hard[cpu]: profile-quota-compute: `) {
		t.Errorf("%v\n%s", err, out)
	}
	s.mustRun("kubectl delete validatingwebhookconfiguration kfp-preflight")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, err := s.shell(bad)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is still on: %s", out)
		}
	}
	s.checkNode()
}
