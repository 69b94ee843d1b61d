package webhook

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/charset"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

const configHeader = "apiVersion: kfp-preflight.dev/v1alpha1\nkind: Configuration\n"

func TestParseConfig(t *testing.T) {
	config, err := parseConfig([]byte(configHeader + `
rules: {workflow-secret-missing: audit, workflow-quota-compute: off}
possible: off
exempt: {namespaces: [kubeflow], users: [a], groups: [b]}
ignoreSkips: true
kfp: {databaseCharset: latin1, cacheMayHit: true}
mode: warn
argo: {namespace: argo, instances: {blue: {namespace: argo-blue}, green: {namespace: argo, configMap: green}}}
lookups: {timeout: 1s}
`))
	if err != nil {
		t.Fatal(err)
	}
	if config.Mode("workflow-secret-missing") != validators.Audit || config.Mode("profile-quota-compute") != validators.Warn ||
		config.On("workflow-quota-compute") || config.Possible != validators.Off {
		t.Errorf("the modes are %+v", config.Policy)
	}
	if config.KFP.Charset != charset.Latin1 || !config.KFP.CacheMayHit || !config.IgnoreSkips {
		t.Errorf("the configuration is %+v", config)
	}
	if config.Lookups.Timeout.Duration != time.Second {
		t.Errorf("the timeout of lookups is %v", config.Lookups.Timeout)
	}
	if config.Argo.ConfigMap != "workflow-controller-configmap" || config.Lookups.Remember.Duration != 5*time.Second {
		t.Errorf("fields that the file does not set must keep their defaults: %+v", config)
	}
	for id, want := range map[string]lookup.ConfigMapLocation{
		"":      {Namespace: "argo", ConfigMap: "workflow-controller-configmap"},
		"blue":  {Namespace: "argo-blue", ConfigMap: "workflow-controller-configmap"},
		"green": {Namespace: "argo", ConfigMap: "green"},
	} {
		if at, known := config.Argo.Location(id); !known || at != want {
			t.Errorf("the controller of instance %q is at %+v", id, at)
		}
	}
	if at, known := config.Argo.Location("red"); known {
		t.Errorf("the controller of an instance that is not configured is at %+v", at)
	}
	for message, text := range map[string]string{
		"apiVersion and kind must be kfp-preflight.dev/v1alpha1 and Configuration, not 'v1'": "apiVersion: v1\nkind: Configuration\n",
		"Configuration, not '' and ''":                             "# an empty file\n",
		`unknown field "ruels"`:                                    configHeader + "ruels: {}",
		`unknown field "namespace"`:                                configHeader + "exempt: {namespace: [a]}",
		`already set`:                                              configHeader + "possible: warn\npossible: off",
		"rules[no-such-rule]: Invalid value":                       configHeader + "rules: {no-such-rule: deny}",
		"the rules are profile-quota-compute":                      configHeader + "rules: {no-such-rule: deny}",
		`rules[workflow-secret-missing]: Unsupported value`:        configHeader + "rules: {workflow-secret-missing: reject}",
		`possible: Unsupported value: "deny"`:                      configHeader + "possible: deny",
		`unchecked: Unsupported value: "no"`:                       configHeader + "unchecked: 'no'",
		`exempt.namespaces[1]: Invalid value: "A"`:                 configHeader + "exempt: {namespaces: [a, A]}",
		`argo.namespace: Invalid value`:                            configHeader + "argo: {namespace: ''}",
		`argo.configMap: Invalid value`:                            configHeader + "argo: {configMap: a/b}",
		`mode: Unsupported value: "watch"`:                         configHeader + "mode: watch",
		`argo.instances[blue].namespace: Invalid value`:            configHeader + "argo: {instances: {blue: {namespace: A}}}",
		`argo.instances[a b]: Invalid value`:                       configHeader + "argo: {instances: {a b: {namespace: a}}}",
		"lookups.timeout: Invalid value: \"1ms\": must be between": configHeader + "lookups: {timeout: 1ms}",
		"lookups.remember: Invalid value":                          configHeader + "lookups: {remember: 2h}",
		"the character set is one of latin1, utf8mb3, utf8mb4":     configHeader + "kfp: {databaseCharset: utf8}",
	} {
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("the error is %v, want %s", err, message)
		}
	}
	_, err = ReadConfig(filepath.Join(t.TempDir(), "missing.yaml"))
	if err == nil || !strings.Contains(err.Error(), "can't read the configuration") {
		t.Errorf("the error for a missing file is %v", err)
	}
}

// TestWatchConfig changes the watched file: to valid, invalid and equal configurations, and removes it.
func TestWatchConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(configHeader)
	type change struct {
		config Config
		err    error
	}
	changes := make(chan change)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go watchConfig(ctx, file, DefaultConfig(), 5*time.Millisecond, func(config Config, err error) {
		changes <- change{config, err}
	})
	next := func() change {
		t.Helper()
		select {
		case c := <-changes:
			return c
		case <-time.After(5 * time.Second):
			t.Fatal("the change was not noticed")
			return change{}
		}
	}
	write(configHeader + "ignoreSkips: true")
	if c := next(); c.err != nil || !c.config.IgnoreSkips {
		t.Errorf("a valid configuration: %+v", c)
	}
	write(configHeader + "ignoreSkips: perhaps")
	if c := next(); c.err == nil {
		t.Errorf("an invalid configuration: %+v", c.config)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	write(configHeader + "ignoreSkips: perhaps")
	select {
	case c := <-changes:
		t.Errorf("the content has not changed: %+v", c)
	case <-time.After(50 * time.Millisecond):
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if c := next(); !os.IsNotExist(c.err) {
		t.Errorf("the file was removed: %+v", c)
	}
	write(configHeader + "ignoreSkips: true")
	if c := next(); c.err != nil || !c.config.IgnoreSkips {
		t.Errorf("the active configuration is back: %+v", c)
	}
	write(configHeader + "# with a comment\nignoreSkips: true")
	select {
	case c := <-changes:
		t.Errorf("only a comment has changed: %+v", c)
	case <-time.After(50 * time.Millisecond):
	}
}

// FuzzConfig checks that a valid configuration survives being printed and parsed again.
func FuzzConfig(f *testing.F) {
	f.Add(configHeader)
	f.Add(configHeader + "mode: off\nrules: {profile-quota-compute: warn}\npossible: audit\nunchecked: deny\n" +
		"exempt: {namespaces: [a], users: [b], groups: [c]}\nignoreSkips: true\nkfp: {databaseCharset: utf8mb4, cacheMayHit: true}\n" +
		"argo: {namespace: a, configMap: b, instances: {x: {namespace: c}}}\nlookups: {timeout: 1s, remember: 0s}\nevents: true\n")
	f.Fuzz(func(t *testing.T, text string) {
		config, err := parseConfig([]byte(text))
		if err != nil {
			return
		}
		printed, err := sigsyaml.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseConfig(printed)
		if err != nil || !reflect.DeepEqual(config, parsed) {
			t.Errorf("%+v is printed as\n%s\nand parsed as %+v, %v", config, printed, parsed, err)
		}
	})
}
