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
)

// ReadConfig reads a configuration from a file. What the file does not say is as in DefaultConfig; what it says must be known and valid.
func ReadConfig(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("the configuration can't be read: %w", err)
	}
	config, err := parseConfig(text)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

func parseConfig(text []byte) (Config, error) {
	config, kind := DefaultConfig(), DefaultConfig().TypeMeta
	config.TypeMeta = metav1.TypeMeta{} // an empty file must not stand for all defaults: its author has lost something
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		return Config{}, err
	}
	if config.TypeMeta != kind {
		return Config{}, fmt.Errorf("apiVersion and kind are %s and %s, not '%s' and '%s'", kind.APIVersion, kind.Kind, config.APIVersion, config.Kind)
	}
	return config, config.validate().ToAggregate()
}

// validate lists everything that is wrong.
func (c Config) validate() field.ErrorList {
	var errs field.ErrorList
	mode := func(path *field.Path, m validators.Mode, allowed ...validators.Mode) {
		if !slices.Contains(allowed, m) {
			errs = append(errs, field.NotSupported(path, m, allowed))
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(c.Rules)) {
		path := field.NewPath("rules").Key(rule)
		if !slices.Contains(validators.RuleIDs(), rule) {
			errs = append(errs, field.Invalid(path, rule, "there is no such rule; the rules are "+strings.Join(validators.RuleIDs(), ", ")))
		}
		mode(path, c.Rules[rule], validators.AllModes...)
	}
	mode(field.NewPath("mode"), c.Ceiling, append([]validators.Mode{""}, validators.AllModes...)...)
	mode(field.NewPath("possible"), c.Possible, "", validators.Off, validators.Audit, validators.Warn)
	mode(field.NewPath("unchecked"), c.Unchecked, append([]validators.Mode{""}, validators.AllModes...)...)
	for i, namespace := range c.Exempt.Namespaces {
		for _, why := range validation.IsDNS1123Label(namespace) {
			errs = append(errs, field.Invalid(field.NewPath("exempt", "namespaces").Index(i), namespace, why))
		}
	}
	controller := func(path *field.Path, at ConfigMapLocation) {
		for _, why := range validation.IsDNS1123Label(at.Namespace) {
			errs = append(errs, field.Invalid(path.Child("namespace"), at.Namespace, why))
		}
		for _, why := range validation.IsDNS1123Subdomain(at.ConfigMap) {
			errs = append(errs, field.Invalid(path.Child("configMap"), at.ConfigMap, why))
		}
	}
	argo := field.NewPath("argo")
	controller(argo, c.Argo.ConfigMapLocation)
	for _, id := range slices.Sorted(maps.Keys(c.Argo.Instances)) {
		path := argo.Child("instances").Key(id)
		for _, why := range validation.IsValidLabelValue(id) {
			errs = append(errs, field.Invalid(path, id, why))
		}
		if id == "" {
			errs = append(errs, field.Invalid(path, id, "the controller of Workflows without an instance ID is argo.namespace and argo.configMap"))
		}
		at, _ := c.Argo.of(id)
		controller(path, at)
	}
	lookups := field.NewPath("lookups")
	if t := c.Lookups.Timeout.Duration; t < 100*time.Millisecond || t > 25*time.Second {
		errs = append(errs, field.Invalid(lookups.Child("timeout"), t.String(), "must be between 100ms and 25s: the API server waits for 30s at the most"))
	}
	if r := c.Lookups.Remember.Duration; r < 0 || r > time.Minute {
		errs = append(errs, field.Invalid(lookups.Child("remember"), r.String(), "must be between 0s and 1m"))
	}
	return errs
}

// awayFor is after how many looks a file that is not there is told of: a mounted one is away for a moment while it is replaced.
const awayFor = 15

// watchConfig reads the file again and again, as a mounted ConfigMap changes by itself, until ctx is done. changed is called with another
// configuration than the one in force, or with what is wrong with the file, each once.
func watchConfig(ctx context.Context, file string, inForce Config, every time.Duration, changed func(Config, error)) {
	var last []byte
	refused := false // what is in force is told again when what was refused is gone
	for away := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		text, err := os.ReadFile(file)
		if err != nil {
			if away++; away == awayFor {
				changed(Config{}, err)
				last, refused = nil, true
			}
			continue
		}
		away = 0
		if last != nil && bytes.Equal(text, last) {
			continue
		}
		last = text
		config, err := parseConfig(text)
		if err != nil {
			refused = true
			changed(config, err)
		} else if refused || !reflect.DeepEqual(config, inForce) {
			inForce, refused = config, false
			changed(config, nil)
		}
	}
}
