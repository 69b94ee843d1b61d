package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestSecretCreatedJustBefore creates a Secret or adds a key to it, and immediately creates a Workflow that needs it. Several
// clients do this at the same time, RACES times each. No Workflow may be denied because of a stale cache.
func TestSecretCreatedJustBefore(t *testing.T) {
	const clients = 4
	tries := raceAttempts(t)
	ensureNamespace(t, "just-created")
	var created atomic.Int64
	var group errgroup.Group
	for c := range clients {
		u := newUser(t)
		group.Go(func() error {
			for i := range tries {
				name := fmt.Sprintf("secret-%d-%d", c, i)
				secret := &corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Namespace: "just-created", Name: name}, StringData: map[string]string{"first": "x"},
				}
				if err := u.Create(t.Context(), secret); err != nil {
					return err
				}
				if err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "just-created", name, "first"))); err != nil {
					return fmt.Errorf("%s, just created: %w", name, err)
				}
				// The webhook now has the Secret with only one key in its cache.
				secret.StringData = map[string]string{"second": "x"}
				if err := u.Update(t.Context(), secret); err != nil {
					return err
				}
				if err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "just-created", name, "second"))); err != nil {
					return fmt.Errorf("%s, with a key just added: %w", name, err)
				}
				created.Add(2)
				if rand.IntN(4) == 0 {
					if err := u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "just-created", name, "third"))); !denied(err) {
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
	t.Logf("%d Workflows created right after their Secret or key", created.Load())
}

// raceAttempts returns how often to run a race: the environment variable RACES or, by default, a number that finds
// obvious mistakes.
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

// TestSecretCreatedDuringDenials creates a Secret and immediately a Workflow that needs it, while other clients keep creating
// such Workflows and are denied. A lookup that began before the Secret was created must not decide about a Workflow that
// was created after it. Then the test deletes the Secret, and logs how long Workflows are still admitted.
func TestSecretCreatedDuringDenials(t *testing.T) {
	const otherClients = 3
	ensureNamespace(t, "denials")
	var denials, staleAdmissions atomic.Int64
	var longest time.Duration
	users := make([]user, otherClients)
	for i := range users {
		users[i] = newUser(t)
	}
	creator := newUser(t)
	for i := range raceAttempts(t) / 4 {
		name := fmt.Sprintf("secret-%d", i)
		createDependent := func(u user) error {
			return u.Create(t.Context(), parseObject(t, fmt.Sprintf(workflowWithSecret, "denials", name, "key")), client.DryRunAll)
		}
		var group errgroup.Group
		for _, u := range users {
			group.Go(func() error {
				for {
					err := createDependent(u)
					if !denied(err) {
						return err
					}
					denials.Add(1)
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "denials", Name: name}, StringData: map[string]string{"key": "x"}}
		if err := creator.Create(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if err := createDependent(creator); err != nil {
			t.Errorf("%s, just created: %v", name, err)
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if i%10 > 0 {
			continue
		}
		if err := creator.Delete(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); ; staleAdmissions.Add(1) {
			if err := createDependent(creator); denied(err) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if longest = max(longest, time.Since(began)); longest > 10*cacheTTL {
				t.Fatalf("a Secret that was deleted %v ago is still in the cache", longest)
			}
		}
	}
	t.Logf("%d denials before the Secrets were created; %d Workflows admitted after they were deleted, within %v",
		denials.Load(), staleAdmissions.Load(), longest)
}
