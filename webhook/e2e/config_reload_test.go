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

// TestConfigReload changes the configuration of the running webhook: rightly, wrongly, and back.
func TestConfigReload(t *testing.T) {
	before := webhook.DefaultConfig()
	before.Lookups.Remember.Duration = cacheTTL
	createProfile := func() error {
		return env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(badProfile, "configured")), client.DryRunAll)
	}
	waitFor := func(what string, want func(error) bool) {
		t.Helper()
		if err := poll(20*time.Second, func() error {
			if err := createProfile(); !want(err) {
				return fmt.Errorf("%s: %w", what, errors.Join(errors.New("the Profile"), err))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	setMode := func(rule string, mode validators.Mode) {
		t.Helper()
		changed := before
		changed.Rules = map[string]validators.Mode{rule: mode}
		if err := writeConfig(changed); err != nil {
			t.Fatal(err)
		}
	}
	waitFor("before", denied)
	setMode(validators.ProfileQuotaCompute, validators.Warn)
	waitFor("in warn mode", func(err error) bool { return err == nil })
	setMode("no-such-rule", validators.Deny)
	if err := poll(20*time.Second, func() error {
		if !strings.Contains(env.log.String(), "the configuration can't be taken") {
			return errors.New("nothing is logged of a wrong configuration")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := createProfile(); err != nil {
		t.Errorf("a wrong configuration is in force: %v", err)
	}
	if err := writeConfig(before); err != nil {
		t.Fatal(err)
	}
	waitFor("after", denied)
}
