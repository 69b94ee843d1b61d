// Package quota predicts whether kube-apiserver would admit a pod to a namespace, as far as the pod's resources are
// concerned, and whether it would accept a given ResourceQuota.
//
// [Namespace.Evaluate] takes a pod through the same stages as the API server. Requests default to limits, and the
// LimitRanges add their defaults. Three stages may then refuse the pod. Validation refuses a pod that contradicts itself,
// such as one with a request above its limit. LimitRanger refuses a pod outside the bounds of a LimitRange. ResourceQuota
// refuses a pod with a container that does not set what a matching quota counts: "failed quota: NAME: must specify cpu
// for: init,wait". A quota that is used up plays no part here: such a pod waits, it does not fail.
//
// [ValidateSpec] validates the spec of a ResourceQuota.
//
// Sources: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go, pkg/apis/core/v1/defaults.go,
// pkg/apis/core/validation/validation.go, plugin/pkg/admission/limitranger/admission.go; k8s.io/apiserver v0.37.2
// pkg/quota/v1/generic/evaluator.go, pkg/admission/plugin/resourcequota/controller.go.
//
// The package assumes Kubernetes 1.28 to 1.37 with the default feature gates of each version. The versions differ in how
// they treat pod-level resources (spec.resources, from 1.34 on), sidecar containers (from 1.29 on) and the quota scope
// VolumeAttributesClass (from 1.33 on). Changes made by mutating webhooks, and resources limited by the API server's own
// configuration (LimitedResources), are not visible to it.
package quota
