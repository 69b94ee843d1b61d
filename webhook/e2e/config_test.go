package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook"
)

// TestConfigChanges changes the configuration of the running webhook: rightly, wrongly, and back.
func TestConfigChanges(t *testing.T) {
	before := webhook.DefaultConfig()
	before.Lookups.Remember.Duration = remember
	try := func() error {
		return env.admin.Create(t.Context(), object(t, fmt.Sprintf(badProfile, "configured")), client.DryRunAll)
	}
	becomes := func(what string, is func(error) bool) {
		t.Helper()
		if err := poll(20*time.Second, func() error {
			if err := try(); !is(err) {
				return fmt.Errorf("%s: %w", what, errors.Join(errors.New("the Profile"), err))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	set := func(rule string, mode validators.Mode) {
		t.Helper()
		changed := before
		changed.Rules = map[string]validators.Mode{rule: mode}
		if err := configure(changed); err != nil {
			t.Fatal(err)
		}
	}
	becomes("before", denied)
	set(validators.ProfileQuotaCompute, validators.Warn)
	becomes("in warn mode", func(err error) bool { return err == nil })
	set("no-such-rule", validators.Deny)
	if err := poll(20*time.Second, func() error {
		if !strings.Contains(env.log.String(), "the configuration can't be taken") {
			return errors.New("nothing is logged of a wrong configuration")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := try(); err != nil {
		t.Errorf("a wrong configuration is in force: %v", err)
	}
	if err := configure(before); err != nil {
		t.Fatal(err)
	}
	becomes("after", denied)
}
