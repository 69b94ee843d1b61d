package validators

import (
	"fmt"
	"slices"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// expectObjects lowers the certainty for missing objects that something else may be about to create: Secrets that the controller of another
// object in the namespace creates, or that come with a volume of the run's own pods, and all objects in a new namespace. It looks facts
// up only if a missing object would otherwise be certain.
func expectObjects(missing []missingObject, namespace string, fc *forecast.Forecast, facts Facts) {
	isCertain := func(m missingObject) bool { return m.certainty == Certain && m.Kind != PriorityClass }
	if !slices.ContainsFunc(missing, isCertain) {
		return
	}
	expect := func(m *missingObject, by string) {
		m.certainty, m.condition, m.expected = Possible, expectedSoon, by
	}
	isNew, err := facts.NamespaceIsNew(namespace)
	if isNew || err != nil {
		by := fmt.Sprintf("namespace '%s' is new, and its objects may still be created", namespace)
		if err != nil {
			by = fmt.Sprintf("namespace '%s' may be new: %v", namespace, err)
		}
		for i := range missing {
			if isCertain(missing[i]) {
				expect(&missing[i], by)
			}
		}
		return
	}
	if !slices.ContainsFunc(missing, func(m missingObject) bool { return isCertain(m) && m.Kind == Secret }) {
		return
	}
	sources, err := facts.SecretSources(namespace)
	classes := mountedSecretProviderClasses(fc)
	for i := range missing {
		m := &missing[i]
		if !isCertain(*m) || m.Kind != Secret {
			continue
		}
		source := slices.IndexFunc(sources, func(s SecretSource) bool { return s.Creates(m.Name) })
		switch {
		case source >= 0:
			expect(m, fmt.Sprintf("%s '%s' may create it", sources[source].Kind, sources[source].Name))
		case err != nil:
			expect(m, err.Error())
		default:
			if class := unreadClass(classes, sources); class != "" {
				expect(m, fmt.Sprintf("a volume of SecretProviderClass '%s' may create it", class))
			}
		}
	}
}

// csiSecretsDriver is the driver of the Secrets Store CSI volumes. When a pod mounts one, the driver creates the Secrets that the volume's
// SecretProviderClass lists, and it removes them after the last such pod.
// Source: kubernetes-sigs/secrets-store-csi-driver apis/v1/secretproviderclass_types.go SecretObjects.
const csiSecretsDriver = "secrets-store.csi.k8s.io"

// mountedSecretProviderClasses returns the classes of the Secrets Store CSI volumes of a Workflow's pods.
func mountedSecretProviderClasses(fc *forecast.Forecast) []string {
	var classes orderedSet
	for i := range fc.Pods {
		for _, v := range fc.Pods[i].Spec.Volumes {
			if v.CSI != nil && v.CSI.Driver == csiSecretsDriver {
				classes.add(v.CSI.VolumeAttributes["secretProviderClass"])
			}
		}
	}
	return classes.list
}

// unreadClass returns a class that is not among the sources, so that the Secrets which it creates are unknown; empty if there is none.
func unreadClass(classes []string, sources []SecretSource) string {
	for _, class := range classes {
		if !slices.ContainsFunc(sources, func(s SecretSource) bool { return s.Kind == csiClassKind && s.Name == class }) {
			return class
		}
	}
	return ""
}
