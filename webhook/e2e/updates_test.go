package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// invalidProfiles are quotas that may exist from before kfp-preflight was installed, by the name of the Profile.
var invalidProfiles = map[string]struct {
	hard    map[string]any
	amount  string // the resource whose amount the test changes
	worse   string // the resource that the test adds, which must be denied
	because string // text in that denial
}{
	"asks-too-much": {
		hard: map[string]any{"cpu": "2", "memory": "2Gi"}, amount: "memory",
		worse: "limits.cpu", because: "must specify limits.cpu for: init,main,wait'",
	},
	"names-nothing": {
		hard: map[string]any{"gpu": "2", "requestsCpu": "2"}, amount: "requestsCpu",
		worse: "limitsCpu", because: "limits.cpu",
	},
}

// TestExistingBadProfiles updates Profiles that were already bad, as admins and the Profile controller do. Only an update
// that makes the quota worse may be denied.
func TestExistingBadProfiles(t *testing.T) {
	for name, bad := range invalidProfiles {
		t.Run(name, func(t *testing.T) {
			hard := []string{"spec", "resourceQuotaSpec", "hard"}
			profile := parseObject(t, fmt.Sprintf(badProfile, name))
			_ = unstructured.SetNestedMap(profile.Object, bad.hard, hard...)
			if err := env.admin.Create(t.Context(), profile.DeepCopy(), client.DryRunAll); !denied(err) {
				t.Fatalf("the Profile is not denied on creation: %v", err)
			}
			withoutWebhook(t, func() {
				if err := env.admin.Create(t.Context(), profile.DeepCopy()); err != nil {
					t.Fatal(err)
				}
			})
			get := func() *unstructured.Unstructured {
				o := profile.DeepCopy()
				if err := env.admin.Get(t.Context(), types.NamespacedName{Name: name}, o); err != nil {
					t.Fatal(err)
				}
				return o
			}
			change := func(what string, do func(o *unstructured.Unstructured)) {
				t.Helper()
				o := get()
				do(o)
				if err := env.admin.Update(t.Context(), o); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			set := func(o *unstructured.Unstructured, name string, amount any) {
				_ = unstructured.SetNestedField(o.Object, amount, append(slices.Clone(hard), name)...)
			}
			other := slices.DeleteFunc(slices.Sorted(maps.Keys(bad.hard)), func(n string) bool { return n == bad.amount })[0]
			change("an update without a change, as at every reconcile", func(*unstructured.Unstructured) {})
			change("a label", func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"a": "b"}) })
			change("the owner", func(o *unstructured.Unstructured) {
				_ = unstructured.SetNestedField(o.Object, "other@example.com", "spec", "owner", "name")
			})
			change("the same quota in another notation", func(o *unstructured.Unstructured) { set(o, other, int64(2)) })
			change("an amount", func(o *unstructured.Unstructured) { set(o, bad.amount, "4Gi") })
			change("a resource less", func(o *unstructured.Unstructured) {
				unstructured.RemoveNestedField(o.Object, append(slices.Clone(hard), other)...)
			})
			o := get()
			set(o, bad.worse, "2")
			if err := env.admin.Update(t.Context(), o); !denied(err) || !strings.Contains(err.Error(), bad.because) {
				t.Errorf("an update that adds %s is not denied for it: %v", bad.worse, err)
			}
			change("a finalizer", func(o *unstructured.Unstructured) { controllerutil.AddFinalizer(o, "profile-finalizer") })
			if err := env.admin.Delete(t.Context(), get()); err != nil {
				t.Errorf("deletion: %v", err)
			}
			change("a worse quota while the Profile is being deleted", func(o *unstructured.Unstructured) { set(o, bad.worse, "2") })
			change("the finalizer's removal", func(o *unstructured.Unstructured) { controllerutil.RemoveFinalizer(o, "profile-finalizer") })
			if err := env.admin.Get(t.Context(), types.NamespacedName{Name: name}, o); !apierrors.IsNotFound(err) {
				t.Errorf("the Profile is still there: %v", err)
			}
		})
	}
}

// TestWorkflowUpdatesAreNotReviewed updates a Workflow as Argo's controller, KFP and users do. The API server must not
// send any of these updates to the webhook.
func TestWorkflowUpdatesAreNotReviewed(t *testing.T) {
	ensureNamespace(t, "updates")
	wf := parseObject(t, fmt.Sprintf(workflowWithSecret, "updates", "soon-gone", "key"))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "updates", Name: "soon-gone"}, StringData: map[string]string{"key": "x"}}
	for _, o := range []client.Object{secret, wf} {
		if err := env.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.admin.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	before := reviewCount(t, "Workflow")
	for what, fields := range map[string][]string{
		"status": {"status", "phase"}, "spec": {"spec", "shutdown"}, "template": {"spec", "entrypoint"},
	} {
		_ = unstructured.SetNestedField(wf.Object, "Running", fields...)
		if err := env.admin.Update(t.Context(), wf); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	patch := client.RawPatch(types.MergePatchType, []byte(
		`{"metadata":{"labels":{"workflows.argoproj.io/completed":"true"}},"status":{"phase":"Succeeded"}}`))
	if err := env.admin.Patch(t.Context(), wf, patch); err != nil {
		t.Error(err)
	}
	if err := env.admin.Delete(t.Context(), wf); err != nil {
		t.Error(err)
	}
	if after := reviewCount(t, "Workflow"); after != before {
		t.Errorf("the webhook got %v reviews of Workflow updates", after-before)
	}
	time.Sleep(2 * cacheTTL)
	if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "updates", "soon-gone", "key"))); !denied(err) {
		t.Errorf("the webhook does not deny a Workflow: %v", err)
	}
	if after := reviewCount(t, "Workflow"); after != before+1 {
		t.Errorf("%v reviews were counted, want 1", after-before)
	}
}
