package quota

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// meant are names that people write, and what quotas call it.
var meant = map[string]string{
	"gpu": "requests.nvidia.com/gpu", "gpus": "requests.nvidia.com/gpu", "requests.gpu": "requests.nvidia.com/gpu", "limits.gpu": "requests.nvidia.com/gpu",
	"storage": "requests.storage", "limits.storage": "requests.storage", "pvc": "persistentvolumeclaims", "pvcs": "persistentvolumeclaims",
	"volumes": "persistentvolumeclaims", "cm": "configmaps", "mem": "memory", "ram": "memory", "cpus": "cpu",
}

var capital = regexp.MustCompile(`([a-z])([A-Z])`)

// Suggest returns the known name that somebody may have meant by another one; empty if there is no good guess.
func Suggest(name string, known []string) string {
	name = strings.TrimSpace(name)
	if size, ok := strings.CutPrefix(name, "limits."); ok && isHugePages(corev1.ResourceName(size)) {
		return size // huge pages have no limits beside their requests
	}
	if strings.Contains(name, "/") {
		return qualified(strings.ToLower(name))
	}
	dotted := strings.ToLower(capital.ReplaceAllString(name, "$1.$2"))
	dotted = strings.NewReplacer("_", ".", "-", ".", "request.", "requests.", "limit.", "limits.").Replace(dotted)
	plain := strings.ReplaceAll(dotted, ".", "")
	for _, k := range known {
		lower := strings.ToLower(k)
		if other := strings.NewReplacer(".", "", "-", "").Replace(lower); other == plain || other == plain+"s" || other+"s" == plain {
			return k
		}
	}
	for _, text := range []string{strings.ToLower(name), dotted} {
		if m, ok := meant[text]; ok {
			return m
		}
		if prefix, rest, ok := strings.Cut(text, "."); ok && meant[rest] != "" && (prefix == "requests" || prefix == "limits") {
			for _, k := range known {
				if k == prefix+"."+meant[rest] {
					return k
				}
			}
		}
	}
	return ""
}

// qualified returns the name under which quotas count a resource with a slash in its name; empty if it is none.
func qualified(name string) string {
	switch {
	case len(validation.IsQualifiedName(name)) > 0:
		return ""
	case NeverCounted(corev1.ResourceName(name)):
		return "requests." + string(ComputeResource(corev1.ResourceName(name)))
	}
	return name
}
