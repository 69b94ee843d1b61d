package webhook

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// ReadConfig reads a configuration file. Fields that the file does not set have the values of DefaultConfig. An unknown field or an
// invalid value is an error.
func ReadConfig(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("can't read the configuration: %w", err)
	}
	config, err := parseConfig(text)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

func parseConfig(text []byte) (Config, error) {
	config, kind := DefaultConfig(), DefaultConfig().TypeMeta
	config.TypeMeta = metav1.TypeMeta{} // an empty file is a mistake, not a request for the defaults
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		return Config{}, err
	}
	if config.TypeMeta != kind {
		return Config{}, fmt.Errorf("apiVersion and kind must be %s and %s, not '%s' and '%s'",
			kind.APIVersion, kind.Kind, config.APIVersion, config.Kind)
	}
	return config, config.validate().ToAggregate()
}

// validate lists all invalid fields.
func (c Config) validate() field.ErrorList {
	errs := c.validateModes()
	for i, namespace := range c.Exempt.Namespaces {
		for _, reason := range validation.IsDNS1123Label(namespace) {
			errs = append(errs, field.Invalid(field.NewPath("exempt", "namespaces").Index(i), namespace, reason))
		}
	}
	errs = append(errs, validateArgo(c.Argo, field.NewPath("argo"))...)
	lookups := field.NewPath("lookups")
	if t := c.Lookups.Timeout.Duration; t < 100*time.Millisecond || t > 25*time.Second {
		errs = append(errs, field.Invalid(lookups.Child("timeout"), t.String(),
			"must be between 100ms and 25s: the API server waits at most 30s"))
	}
	if r := c.Lookups.Remember.Duration; r < 0 || r > time.Minute {
		errs = append(errs, field.Invalid(lookups.Child("remember"), r.String(), "must be between 0s and 1m"))
	}
	if n := c.Lookups.NewNamespace.Duration; n < 0 || n > time.Hour {
		errs = append(errs, field.Invalid(lookups.Child("newNamespace"), n.String(), "must be between 0s and 1h"))
	}
	if c.Confirm != "" && c.Confirm != ConfirmByDryRun {
		errs = append(errs, field.NotSupported(field.NewPath("confirm"), c.Confirm, []Confirmation{"", ConfirmByDryRun}))
	}
	for i, kind := range c.SecretSources {
		if err := kind.Validate(); err != nil {
			errs = append(errs, field.Invalid(field.NewPath("secretSources").Index(i), kind.Kind, err.Error()))
		}
	}
	return errs
}

func (c Config) validateModes() field.ErrorList {
	var errs field.ErrorList
	validate := func(path *field.Path, mode validators.Mode, allowed ...validators.Mode) {
		if !slices.Contains(allowed, mode) {
			errs = append(errs, field.NotSupported(path, mode, allowed))
		}
	}
	allOrUnset := append([]validators.Mode{""}, validators.AllModes...)
	for _, rule := range slices.Sorted(maps.Keys(c.Rules)) {
		path := field.NewPath("rules").Key(rule)
		if !slices.Contains(validators.RuleIDs(), rule) {
			errs = append(errs, field.Invalid(path, rule,
				"there is no such rule; the rules are "+strings.Join(validators.RuleIDs(), ", ")))
		}
		validate(path, c.Rules[rule], validators.AllModes...)
	}
	validate(field.NewPath("mode"), c.Ceiling, allOrUnset...)
	validate(field.NewPath("possible"), c.Possible, "", validators.Off, validators.Audit, validators.Warn)
	validate(field.NewPath("unchecked"), c.Unchecked, allOrUnset...)
	return errs
}

func validateArgo(argo lookup.ArgoConfig, path *field.Path) field.ErrorList {
	errs := validateLocation(argo.ConfigMapLocation, path)
	for _, id := range slices.Sorted(maps.Keys(argo.Instances)) {
		path := path.Child("instances").Key(id)
		for _, reason := range validation.IsValidLabelValue(id) {
			errs = append(errs, field.Invalid(path, id, reason))
		}
		if id == "" {
			errs = append(errs, field.Invalid(path, id,
				"the controller of Workflows without an instance ID is argo.namespace and argo.configMap"))
		}
		at, _ := argo.Location(id)
		errs = append(errs, validateLocation(at, path)...)
	}
	return errs
}

func validateLocation(at lookup.ConfigMapLocation, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, reason := range validation.IsDNS1123Label(at.Namespace) {
		errs = append(errs, field.Invalid(path.Child("namespace"), at.Namespace, reason))
	}
	for _, reason := range validation.IsDNS1123Subdomain(at.ConfigMap) {
		errs = append(errs, field.Invalid(path.Child("configMap"), at.ConfigMap, reason))
	}
	return errs
}

// missingReads is how many times in a row the file must be missing before that is an error: a mounted ConfigMap can disappear briefly
// while the kubelet replaces it.
const missingReads = 15

// watchConfig polls the file until ctx is done, because a mounted ConfigMap changes by itself. It calls changed with each configuration
// that differs from the active one, and with the error of each invalid file, once. After an error, changed is called for
// the next valid file even if it equals the active configuration.
func watchConfig(
	ctx context.Context, file string, active Config, interval time.Duration, changed func(Config, error),
) {
	var last []byte
	failed := false // whether the last call of changed had an error
	for missing := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
		text, err := os.ReadFile(file)
		if err != nil {
			if missing++; missing == missingReads {
				changed(Config{}, err)
				last, failed = nil, true
			}
			continue
		}
		missing = 0
		if last != nil && bytes.Equal(text, last) {
			continue
		}
		last = text
		config, err := parseConfig(text)
		if err != nil {
			failed = true
			changed(config, err)
		} else if failed || !reflect.DeepEqual(config, active) {
			active, failed = config, false
			changed(config, nil)
		}
	}
}
