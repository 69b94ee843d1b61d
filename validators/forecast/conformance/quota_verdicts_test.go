package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// TestQuota runs Workflows under a Profile's quota, with and without a LimitRange, with Kubernetes'
// own quota controller. A Workflow that workflow-quota-compute allows must get its first pod. One
// that it denies must fail with the message that the rule quotes.
func TestQuota(t *testing.T) {
	for name, configuration := range configurations {
		t.Run(name, func(t *testing.T) {
			controller, err := forecast.ParseControllerConfig(configuration)
			if err != nil {
				t.Fatal(err)
			}
			cp := startControlPlane(t, configuration, []client.Object{
				&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "low"}, Value: 1},
			})
			if err := cp.cluster.StartControllers("resourcequota-controller"); err != nil {
				t.Fatal(err)
			}
			denied := 0
			for _, limited := range []bool{false, true} {
				namespace := fmt.Sprintf("limited-%v", limited)
				cp.createQuotaNamespace(t, namespace, limited)
				for what, wf := range quotaWorkflows(t) {
					if cp.compareQuotaVerdict(t, namespace, what, wf, controller) {
						denied++
					}
				}
			}
			if most := 2 * len(quotaWorkflows(t)); denied == 0 || denied == most {
				t.Errorf("%d of %d denied", denied, most)
			}
		})
	}
}

// quotaWorkflows returns a plain step, a step whose author sets all resources, and a KFP v2 run
// whose author does.
func quotaWorkflows(t *testing.T) map[string]*wfv1.Workflow {
	t.Helper()
	step := func(r corev1.ResourceRequirements) *wfv1.Workflow {
		return &wfv1.Workflow{Spec: wfv1.WorkflowSpec{Entrypoint: "main", Templates: []wfv1.Template{
			{Name: "main", Container: &corev1.Container{Image: "busybox", Command: []string{"true"}, Resources: r}},
		}}}
	}
	some := corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Mi")}
	text, err := os.ReadFile("../../../testdata/workflow/workflow-quota-compute/deny-kfp-v2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents, err := cluster.Documents(text)
	if err != nil {
		t.Fatal(err)
	}
	v2, err := forecast.DecodeYAML[wfv1.Workflow](documents[len(documents)-1])
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*wfv1.Workflow{
		"plain": step(corev1.ResourceRequirements{}),
		"set":   step(corev1.ResourceRequirements{Requests: some, Limits: some}),
		"v2":    v2,
	}
}

// createQuotaNamespace creates a namespace with a Profile's quota and, if limited is set, a
// LimitRange. It waits until the quota is enforced.
func (cp controlPlane) createQuotaNamespace(t *testing.T, namespace string, limited bool) {
	t.Helper()
	cp.createNamespace(t, namespace)
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace,
		Name:      validators.ProfileQuota,
	}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{"cpu": resource.MustParse("20"), "memory": resource.MustParse("40Gi")},
	}}
	cp.create(t, q)
	if limited {
		cp.create(t, &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "defaults"}, Spec: corev1.LimitRangeSpec{
			Limits: []corev1.LimitRangeItem{{
				Type:           corev1.LimitTypeContainer,
				Default:        corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("2Gi")},
				DefaultRequest: corev1.ResourceList{"cpu": resource.MustParse("10m"), "memory": resource.MustParse("32Mi")},
			}},
		}})
	}
	cp.waitFor(t, "the quota to be enforced", func() bool {
		return cp.client.Get(t.Context(), client.ObjectKeyFromObject(q), q) == nil && len(q.Status.Hard) > 0
	})
	time.Sleep(time.Second) // until the API server's admission plugins have seen it
}

// compareQuotaVerdict judges a Workflow, runs it, and compares the verdict with the outcome. It
// reports whether the Workflow was denied.
func (cp controlPlane) compareQuotaVerdict(
	t *testing.T, namespace, what string, wf *wfv1.Workflow, controller forecast.ControllerConfig,
) bool {
	t.Helper()
	wf.Namespace, wf.Name = namespace, what
	findings := validators.JudgeWorkflow(wf, quotaFacts{clusterFacts{cp, controller}}, validators.Options{},
		func(rule string) bool { return rule == validators.WorkflowQuotaCompute })
	denied := slices.ContainsFunc(findings, func(f validators.Finding) bool { return f.Certainty == forecast.Certain })
	cp.create(t, wf)
	var pods corev1.PodList
	var errs []string
	cp.waitFor(t, what+" to get a pod or fail", func() bool {
		errs = nil
		if cp.client.Get(t.Context(), client.ObjectKeyFromObject(wf), wf) != nil {
			return false
		}
		for _, node := range wf.Status.Nodes {
			if node.Phase == wfv1.NodeError {
				errs = append(errs, node.Message)
			}
		}
		ofRun := client.MatchingLabels{"workflows.argoproj.io/workflow": what}
		return cp.client.List(context.Background(), &pods, client.InNamespace(namespace), ofRun) == nil && len(pods.Items)+len(errs) > 0
	})
	if !denied {
		if len(errs) > 0 {
			t.Errorf("%s in %s: allowed, but it failed: %s", what, namespace, errs)
		}
		return false
	}
	_, quoted, _ := strings.Cut(findings[0].Outcome, ": '")
	quoted = strings.TrimSuffix(quoted, "'")
	if !slices.ContainsFunc(errs, func(message string) bool { return strings.Contains(message, quoted) }) {
		t.Errorf("%s in %s: denied with '%s'; %d pods, errors %s", what, namespace, quoted, len(pods.Items), errs)
	}
	return true
}

// quotaFacts are clusterFacts with the quotas and LimitRanges of the control plane.
type quotaFacts struct{ clusterFacts }

// ForRule implements validators.Facts.
func (q quotaFacts) ForRule(string) validators.Facts { return q }

// SecretSources implements validators.Facts.
func (quotaFacts) SecretSources(string) ([]validators.SecretSource, error) { return nil, nil }

// NamespaceIsNew implements validators.Facts.
func (quotaFacts) NamespaceIsNew(string) (bool, error) { return false, nil }

// ResourceQuotas implements validators.Facts.
func (e quotaFacts) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	var list corev1.ResourceQuotaList
	err := e.controlPlane.client.List(context.Background(), &list, client.InNamespace(namespace))
	return list.Items, err
}

// LimitRanges implements validators.Facts.
func (e quotaFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	var list corev1.LimitRangeList
	err := e.controlPlane.client.List(context.Background(), &list, client.InNamespace(namespace))
	return list.Items, err
}

// PriorityClasses implements validators.Facts.
func (e quotaFacts) PriorityClasses() ([]schedulingv1.PriorityClass, error) { return nil, nil }

// ServerVersion implements validators.Facts.
func (e quotaFacts) ServerVersion() (string, error) { return "", errors.New("the newest") }

// CheckObjects implements validators.Facts.
func (e quotaFacts) CheckObjects(string, []validators.ObjectQuery) map[validators.ObjectRef]validators.ObjectStatus {
	return nil
}
