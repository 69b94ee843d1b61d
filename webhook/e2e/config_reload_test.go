package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// TestConfigReload changes the configuration of the running webhook to a valid one, to an invalid one, and back.
func TestConfigReload(t *testing.T) {
	before := testConfig()
	createProfile := func() error {
		return env.admin.Create(t.Context(), parseObject(t, fmt.Sprintf(badProfile, "configured")), client.DryRunAll)
	}
	waitFor := func(when string, want func(error) bool) {
		t.Helper()
		if err := poll(20*time.Second, func() error {
			if err := createProfile(); !want(err) {
				return fmt.Errorf("%s: unexpected result of creating the Profile: %v", when, err)
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
	waitFor("before the change", denied)
	setMode(validators.ProfileQuotaCompute, validators.Warn)
	waitFor("in warn mode", func(err error) bool { return err == nil })
	setMode("no-such-rule", validators.Deny)
	if err := poll(20*time.Second, func() error {
		if !strings.Contains(env.log.String(), "the configuration is invalid; the previous one stays active") {
			return errors.New("the log does not mention the invalid configuration")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := createProfile(); err != nil {
		t.Errorf("the invalid configuration is active: %v", err)
	}
	if err := writeConfig(before); err != nil {
		t.Fatal(err)
	}
	waitFor("after the change", denied)
}
