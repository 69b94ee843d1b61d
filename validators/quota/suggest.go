package quota

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// commonMistakes maps names that people write into quotas to the names that they mean.
var commonMistakes = map[string]string{
	"gpu": "requests.nvidia.com/gpu", "gpus": "requests.nvidia.com/gpu",
	"requests.gpu": "requests.nvidia.com/gpu", "limits.gpu": "requests.nvidia.com/gpu",
	"storage": "requests.storage", "limits.storage": "requests.storage",
	"pvc": "persistentvolumeclaims", "pvcs": "persistentvolumeclaims", "volumes": "persistentvolumeclaims",
	"cm": "configmaps", "mem": "memory", "ram": "memory", "cpus": "cpu",
}

var camelCaseBoundary = regexp.MustCompile(`([a-z])([A-Z])`)

// Suggest returns the name, among the supported ones or the qualified resource names, that an unsupported name most likely
// stands for. It returns "" if there is no good guess.
func Suggest(name string, supported []string) string {
	name = strings.TrimSpace(name)
	if size, ok := strings.CutPrefix(name, "limits."); ok && isHugePages(corev1.ResourceName(size)) {
		return size // quotas count requests of huge pages, which equal their limits
	}
	if strings.Contains(name, "/") {
		return suggestQualified(strings.ToLower(name))
	}
	dotted := strings.ToLower(camelCaseBoundary.ReplaceAllString(name, "$1.$2"))
	dotted = strings.NewReplacer("_", ".", "-", ".", "request.", "requests.", "limit.", "limits.").Replace(dotted)
	plain := strings.ReplaceAll(dotted, ".", "")
	for _, s := range supported {
		other := strings.NewReplacer(".", "", "-", "").Replace(strings.ToLower(s))
		if other == plain || other == plain+"s" || other+"s" == plain {
			return s
		}
	}
	for _, text := range []string{strings.ToLower(name), dotted} {
		if meant, ok := commonMistakes[text]; ok {
			return meant
		}
		if prefix, rest, ok := strings.Cut(text, "."); ok && commonMistakes[rest] != "" && (prefix == "requests" || prefix == "limits") {
			if prefixed := prefix + "." + commonMistakes[rest]; slices.Contains(supported, prefixed) {
				return prefixed
			}
		}
	}
	return ""
}

// suggestQualified returns the name under which quotas count a resource with a slash in its name. It returns "" if the name
// is not valid.
func suggestQualified(name string) string {
	switch {
	case len(validation.IsQualifiedName(name)) > 0:
		return ""
	case NeverCounted(corev1.ResourceName(name)):
		return "requests." + string(ComputeResource(corev1.ResourceName(name)))
	}
	return name
}
