package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// TestQuotedQuotaErrors compares the rule with the API server. For each Profile case, it creates the ResourceQuota and the
// baseline pod. The API server must refuse the pod if the rule denies the Profile, with the error that the rule quotes.
func TestQuotedQuotaErrors(t *testing.T) {
	files, err := filepath.Glob("../../testdata/profile/profile-quota-compute/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	pods := map[string]*corev1.Pod{}
	for i, file := range files {
		if filepath.Base(file) == "allow-default-priority-class.yaml" {
			continue // its default PriorityClass would affect all cases
		}
		namespace := fmt.Sprintf("quota-errors-%d", i)
		ensureNamespace(t, namespace)
		pods[file] = createQuota(t, file, namespace)
	}
	time.Sleep(time.Second) // until the quota plugin of the API server has seen the quotas
	refused := 0
	for _, file := range slices.Sorted(maps.Keys(pods)) {
		name := filepath.Base(file)
		err := env.admin.Create(t.Context(), pods[file], client.DryRunAll)
		messages := readOptional(t, strings.TrimSuffix(file, ".yaml")+".txt")
		if err == nil {
			if strings.HasPrefix(name, "deny-") {
				t.Errorf("%s: the API server accepts the pod", name)
			}
			continue
		}
		if strings.Contains(err.Error(), "exceeded quota") {
			continue // an amount is too small: Argo retries the pod, so it does not fail
		}
		refused++
		_, apiServerError, ok := strings.Cut(err.Error(), "is forbidden: ")
		if !ok {
			t.Errorf("%s: %v", name, err)
		}
		// A skipped rule reports nothing, and an update is denied only for what is new.
		switch {
		case name == "allow-skip.yaml", strings.Contains(name, "-update-"):
		case !strings.Contains(messages, "'"+apiServerError+"'"):
			t.Errorf("%s: the API server reports\n%s\nbut the rule\n%s", name, apiServerError, messages)
		}
	}
	if refused < 8 {
		t.Errorf("only %d pods were refused; is the quota enforced?", refused)
	}
}

// createQuota creates the objects of a case in a namespace, with the ResourceQuota that the Profile controller would create. It
// returns the baseline pod.
func createQuota(t *testing.T, file, namespace string) *corev1.Pod {
	t.Helper()
	documents, err := cluster.Documents([]byte(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	var profile validators.Profile
	var controller corev1.ConfigMap
	for _, document := range documents {
		switch o := decode(t, document); o.GetKind() {
		case "Profile":
			profile = validators.Profile{}
			err = yaml.Unmarshal(document, &profile)
		case "ConfigMap":
			err = yaml.Unmarshal(document, &controller)
		default:
			o.SetNamespace(namespace)
			err = env.admin.Create(t.Context(), o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(profile.Spec.ResourceQuotaSpec.Hard) > 0 {
		q := &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: validators.ProfileQuota}, Spec: profile.Spec.ResourceQuotaSpec,
		}
		if err := env.admin.Create(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		// The quota controller does not run; this is the status that it would write.
		q.Status.Hard, q.Status.Used = q.Spec.Hard, corev1.ResourceList{}
		for name := range q.Spec.Hard {
			q.Status.Used[name] = resource.MustParse("0")
		}
		if err := env.admin.Status().Update(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	config, err := forecast.ParseControllerConfig(controller.Data)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := forecast.Baselines(config)
	if err != nil {
		t.Fatal(err)
	}
	// Every quota that applies to a plain step also applies to a KFP v2 step, which lacks the same values.
	steps := runs[len(runs)-1].Pods
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "step"}, Spec: steps[len(steps)-1].Spec}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			containers[i].Image = "busybox"
		}
	}
	return pod
}
