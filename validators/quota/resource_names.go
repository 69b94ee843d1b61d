package quota

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	resourcehelper "k8s.io/component-helpers/resource"
)

// IsLimit reports whether a quota counts limits under this name, as it does under limits.cpu. It counts requests under others.
func IsLimit(name corev1.ResourceName) bool { return strings.HasPrefix(string(name), "limits.") }

// ComputeResource returns the resource that a quota counts under a name: cpu for requests.cpu, limits.cpu and cpu.
func ComputeResource(name corev1.ResourceName) corev1.ResourceName {
	resource := strings.TrimPrefix(string(name), "requests.")
	return corev1.ResourceName(strings.TrimPrefix(resource, "limits."))
}

// NeverCounted reports whether the API server accepts a name in a quota but never counts anything under it. This is so for an
// extended resource, such as nvidia.com/gpu, without the prefix "requests.".
// Source: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go isExtendedResourceNameForQuota.
func NeverCounted(name corev1.ResourceName) bool {
	text := string(name)
	switch {
	case strings.HasPrefix(text, "requests."), strings.HasPrefix(text, "count/"):
		return false
	case strings.Contains(text, "k8s.io/"):
		return false // storage and device classes have names like gold.storageclass.storage.k8s.io/requests.storage
	}
	return isExtended(ComputeResource(name))
}

// integerResources are the resources that count objects.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go integerResources.
var integerResources = map[corev1.ResourceName]bool{
	corev1.ResourcePods: true, corev1.ResourceQuotas: true, corev1.ResourceServices: true, corev1.ResourceReplicationControllers: true,
	corev1.ResourceSecrets: true, corev1.ResourceConfigMaps: true, corev1.ResourcePersistentVolumeClaims: true,
	corev1.ResourceServicesNodePorts: true, corev1.ResourceServicesLoadBalancers: true,
}

// standardQuotaResources are the names without a slash that a quota may have, sorted. Huge pages, which have one name per
// size, are not among them.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go standardQuotaResources.
var standardQuotaResources = func() []string {
	var names []string
	for _, name := range slices.Concat(slices.Collect(maps.Keys(integerResources)), constrainedResources, []corev1.ResourceName{
		corev1.ResourceEphemeralStorage, corev1.ResourceRequestsEphemeralStorage,
		corev1.ResourceLimitsEphemeralStorage, corev1.ResourceRequestsStorage,
	}) {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}()

// isStandard reports whether a name is one of Kubernetes' standard names for quotas, huge pages included.
func isStandard(name corev1.ResourceName) bool {
	return slices.Contains(standardQuotaResources, string(name)) || isHugePages(name) ||
		strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix)
}

// isNative reports whether a resource belongs to Kubernetes itself.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go IsNativeResource.
func isNative(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// isExtended reports whether a resource is an extended resource, such as nvidia.com/gpu.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/helper/helpers.go IsExtendedResourceName.
func isExtended(name corev1.ResourceName) bool {
	return !isNative(name) && !strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// isOvercommitAllowed reports whether the request of a resource may be less than its limit.
func isOvercommitAllowed(name corev1.ResourceName) bool { return isNative(name) && !isHugePages(name) }

// validateResourceName returns why a name can't be that of any resource. Names without a slash must be Kubernetes' own.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validateResourceName.
func validateResourceName(name corev1.ResourceName) []string {
	messages := validation.IsQualifiedName(string(name))
	if len(messages) == 0 && !strings.Contains(string(name), "/") && !isStandard(name) && name != corev1.ResourceStorage {
		return []string{"must be a standard resource type or fully qualified"}
	}
	return messages
}

// validateContainerResourceName returns why a container can't set a resource.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateContainerResourceName.
func validateContainerResourceName(name corev1.ResourceName) []string {
	if name == corev1.ResourceCPU || name == corev1.ResourceMemory {
		return nil // the common case
	}
	messages := validateResourceName(name)
	switch {
	case !strings.Contains(string(name), "/"):
		if name != corev1.ResourceEphemeralStorage && !isHugePages(name) {
			messages = append(messages, "must be a standard resource for containers")
		}
	case !isNative(name) && !isExtended(name):
		messages = append(messages, "doesn't follow extended resource name standard")
	}
	return messages
}

// validatePodResourceName returns why a resource can't be set at pod level.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go validatePodResourceName.
func validatePodResourceName(name corev1.ResourceName) []string {
	messages := validateResourceName(name)
	if len(messages) == 0 && !resourcehelper.IsSupportedPodLevelResource(name) {
		return []string{`supported values: "cpu", "hugepages-", "memory"`}
	}
	return messages
}

// validateQuotaResourceName returns why a quota can't have a name. Any qualified name with a slash is accepted.
// Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go ValidateResourceQuotaResourceName.
func validateQuotaResourceName(name corev1.ResourceName) []string {
	messages := validateResourceName(name)
	if !strings.Contains(string(name), "/") && !isStandard(name) {
		messages = append(messages, "must be a standard resource for quota")
	}
	return messages
}
