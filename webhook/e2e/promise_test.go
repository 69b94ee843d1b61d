package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const badProfile = `
apiVersion: kubeflow.org/v1
kind: Profile
metadata:
  name: %s
spec:
  owner: {kind: User, name: user@example.com}
  resourceQuotaSpec:
    hard: {cpu: "2", memory: 2Gi}
`

// workflowWithSecret is a Workflow that needs one key of one Secret.
const workflowWithSecret = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: needy-
  namespace: %s
spec:
  entrypoint: main
  templates:
    - name: main
      container:
        image: busybox
        env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: %s, key: %s}}}]
`

func denied(err error) bool { return apierrors.IsInvalid(err) }

// withoutWebhook runs do while the API server calls no webhook.
func withoutWebhook(t *testing.T, do func()) {
	t.Helper()
	configuration := env.cluster.WebhookConfiguration()
	probe := func() error {
		return env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(badProfile, "probe")), client.DryRunAll)
	}
	if err := env.admin.Delete(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	if err := poll(20*time.Second, probe); err != nil {
		t.Fatal(err)
	}
	do()
	configuration.ResourceVersion, configuration.UID = "", ""
	if err := env.admin.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	if err := poll(20*time.Second, func() error {
		if err := probe(); !denied(err) {
			return fmt.Errorf("the webhook is not back: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// invalidProfiles are the ways in which a Profile may be bad for long: which quota it has, and what makes it worse.
var invalidProfiles = map[string]struct {
	hard    map[string]any
	amount  string // the name of an amount that is changed, and one that is taken out
	worse   string // the name that makes it worse
	because string // what the denial of that says
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

// TestExistingBadProfiles does to Profiles that were bad before what admins and the Profile controller do to Profiles.
func TestExistingBadProfiles(t *testing.T) {
	for name, bad := range invalidProfiles {
		t.Run(name, func(t *testing.T) {
			hard := []string{"spec", "resourceQuotaSpec", "hard"}
			profile := parseObject(t, fmt.Sprintf(badProfile, name))
			_ = unstructured.SetNestedMap(profile.Object, bad.hard, hard...)
			if err := env.admin.Create(t.Context(), profile.DeepCopy(), client.DryRunAll); !denied(err) {
				t.Fatalf("it is not bad: %v", err)
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
			change("another owner", func(o *unstructured.Unstructured) {
				_ = unstructured.SetNestedField(o.Object, "other@example.com", "spec", "owner", "name")
			})
			change("the same quota, written in another way", func(o *unstructured.Unstructured) { set(o, other, int64(2)) })
			change("another amount", func(o *unstructured.Unstructured) { set(o, bad.amount, "4Gi") })
			change("less than before", func(o *unstructured.Unstructured) {
				unstructured.RemoveNestedField(o.Object, append(slices.Clone(hard), other)...)
			})
			o := get()
			set(o, bad.worse, "2")
			if err := env.admin.Update(t.Context(), o); !denied(err) || !strings.Contains(err.Error(), bad.because) {
				t.Errorf("an update that asks for more is not denied for that: %v", err)
			}
			change("a finalizer", func(o *unstructured.Unstructured) { controllerutil.AddFinalizer(o, "profile-finalizer") })
			if err := env.admin.Delete(t.Context(), get()); err != nil {
				t.Errorf("deletion: %v", err)
			}
			change("an update while it is being deleted", func(o *unstructured.Unstructured) { set(o, bad.worse, "2") })
			change("the finalizer's removal", func(o *unstructured.Unstructured) { controllerutil.RemoveFinalizer(o, "profile-finalizer") })
			if err := env.admin.Get(t.Context(), types.NamespacedName{Name: name}, o); !apierrors.IsNotFound(err) {
				t.Errorf("the Profile is still there: %v", err)
			}
		})
	}
}

// TestWorkflowUpdatesAreNotReviewed changes a Workflow as Argo's controller, KFP and users do, and looks whether any of it
// came to the webhook.
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
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"workflows.argoproj.io/completed":"true"}},"status":{"phase":"Succeeded"}}`))
	if err := env.admin.Patch(t.Context(), wf, patch); err != nil {
		t.Error(err)
	}
	if err := env.admin.Delete(t.Context(), wf); err != nil {
		t.Error(err)
	}
	if after := reviewCount(t, "Workflow"); after != before {
		t.Errorf("%v reviews of Workflows arrived", after-before)
	}
	time.Sleep(2 * cacheTTL)
	if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "updates", "soon-gone", "key"))); !denied(err) {
		t.Errorf("the webhook judges no Workflow: %v", err)
	}
	if after := reviewCount(t, "Workflow"); after != before+1 {
		t.Errorf("%v reviews were counted, not 1", after-before)
	}
}

// TestSecretCreatedJustBefore creates a Secret, or the key that was missing in it, and at once a Workflow that needs it, from
// several clients. None may be denied. RACES is how often each client tries.
func TestSecretCreatedJustBefore(t *testing.T) {
	const clients = 4
	tries := raceAttempts(t)
	ensureNamespace(t, "moments")
	var created atomic.Int64
	var group errgroup.Group
	for c := range clients {
		u := newUser(t)
		group.Go(func() error {
			for i := range tries {
				name := fmt.Sprintf("secret-%d-%d", c, i)
				secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "moments", Name: name}, StringData: map[string]string{"first": "x"}}
				if err := u.Create(t.Context(), secret); err != nil {
					return err
				}
				if err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "moments", name, "first"))); err != nil {
					return fmt.Errorf("%s, just created: %w", name, err)
				}
				// The webhook remembers the Secret now, with one key.
				secret.StringData = map[string]string{"second": "x"}
				if err := u.Update(t.Context(), secret); err != nil {
					return err
				}
				if err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "moments", name, "second"))); err != nil {
					return fmt.Errorf("%s, with a key just added: %w", name, err)
				}
				created.Add(2)
				if rand.IntN(4) == 0 {
					if err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "moments", name, "third"))); !denied(err) {
						return fmt.Errorf("%s has no third key: %w", name, err)
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d Workflows created right after what they need", created.Load())
}

// raceAttempts is how often a race is run: RACES, or enough to meet the coarse mistakes.
func raceAttempts(t *testing.T) int {
	t.Helper()
	text := os.Getenv("RACES")
	if text == "" {
		return 100
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("RACES: %v", err)
	}
	return n
}

// TestSecretCreatedDuringDenials creates a Secret, and at once a Workflow that needs it, while others ask for the same Secret all the
// time and are denied until it is there: a lookup that was under way when it came must not count for those who came later.
// Then it deletes the Secret, and says how long Workflows slip through.
func TestSecretCreatedDuringDenials(t *testing.T) {
	const others = 3
	ensureNamespace(t, "amid")
	var denials, slips atomic.Int64
	var longest time.Duration
	users := make([]user, others)
	for i := range users {
		users[i] = newUser(t)
	}
	mine := newUser(t)
	for i := range raceAttempts(t) / 4 {
		name := fmt.Sprintf("secret-%d", i)
		need := func(u user) error {
			return u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "amid", name, "key")), client.DryRunAll)
		}
		var group errgroup.Group
		for _, u := range users {
			group.Go(func() error {
				for {
					err := need(u)
					if !denied(err) {
						return err
					}
					denials.Add(1)
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "amid", Name: name}, StringData: map[string]string{"key": "x"}}
		if err := mine.Create(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if err := need(mine); err != nil {
			t.Errorf("%s, just created: %v", name, err)
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if i%10 > 0 {
			continue
		}
		if err := mine.Delete(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); ; slips.Add(1) {
			if err := need(mine); denied(err) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if longest = max(longest, time.Since(began)); longest > 10*cacheTTL {
				t.Fatalf("a Secret that was deleted %v ago is still remembered", longest)
			}
		}
	}
	t.Logf("%d denials before the Secrets came; after they went %d Workflows slipped through, none after more than %v", denials.Load(), slips.Load(), longest)
}

// TestWebhookDown stops the webhook: the shipped configuration lets everything in.
func TestWebhookDown(t *testing.T) {
	if err := env.stop(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := startWebhook(); err != nil {
			t.Fatal(err)
		}
	}()
	ensureNamespace(t, "down")
	if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(badProfile, "down"))); err != nil {
		t.Errorf("a Profile was not let in: %v", err)
	}
	if err := env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "down", "nowhere", "key"))); err != nil {
		t.Errorf("a Workflow was not let in: %v", err)
	}
}

// TestForbiddenLookup takes the webhook's permissions away: it can't find out anything, denies nothing and says so.
func TestForbiddenLookup(t *testing.T) {
	binding := &rbacv1.ClusterRoleBinding{}
	if err := env.admin.Get(t.Context(), types.NamespacedName{Name: "kfp-preflight"}, binding); err != nil {
		t.Fatal(err)
	}
	if err := env.admin.Delete(t.Context(), binding.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	binding.ResourceVersion, binding.UID = "", ""
	ensureNamespace(t, "forbidden")
	try := func(o *unstructured.Unstructured) ([]string, error) {
		u := newUser(t)
		err := u.Create(t.Context(), o, client.DryRunAll)
		return u.warnings.all(), err
	}
	for want, text := range map[string]string{
		"workflow-secret-missing: whether namespace 'forbidden' has Secret 'nowhere' was not checked: kfp-preflight is not permitted to read it":                                                                 fmt.Sprintf(workflowWithSecret, "forbidden", "nowhere", "key"),
		"profile-quota-compute: the quota was not checked against pipeline pods: ConfigMap 'workflow-controller-configmap' in namespace 'kubeflow' could not be read: kfp-preflight is not permitted to read it": fmt.Sprintf(badProfile, "forbidden"),
	} {
		var warnings []string
		if err := poll(10*time.Second, func() (err error) { // the authorizer notices after a moment
			warnings, err = try(parseObject(t, text))
			return err
		}); err != nil {
			t.Errorf("denied without a lookup: %v", err)
		}
		if !slices.Contains(warnings, want) {
			t.Errorf("warnings %q, want among them %q", warnings, want)
		}
	}
	if err := env.admin.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	if err := poll(10*time.Second, func() error {
		if _, err := try(parseObject(t, fmt.Sprintf(workflowWithSecret, "forbidden", "nowhere", "key"))); !denied(err) {
			return errors.New("still not permitted")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
