// Package quota decides, as kube-apiserver does, whether a namespace lets a pod in, as far as its resources are concerned,
// and whether a namespace could have a given ResourceQuota at all.
//
// [Namespace.Decide] goes the way of a pod through the API server: requests are filled in from limits, the LimitRanges add
// their defaults, then three gates follow. Validation refuses a pod that is contradictory, such as a request above its
// limit; LimitRanger one that is outside of what a LimitRange allows; and ResourceQuota one with a container that doesn't
// name what a matching quota counts: "failed quota: NAME: must specify cpu for: init,wait". A quota that is used up plays
// no part: it makes a pod wait, not fail.
//
// [ValidateSpec] holds a quota to what the API server demands of one.
//
// Sources: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go, pkg/apis/core/v1/defaults.go,
// pkg/apis/core/validation/validation.go, plugin/pkg/admission/limitranger/admission.go; k8s.io/apiserver v0.37.2
// pkg/quota/v1/generic/evaluator.go, pkg/admission/plugin/resourcequota/controller.go.
//
// Assumed: Kubernetes 1.28 to 1.37 with the feature gates that each version has by default. They differ in what they make of
// resources of the pod as a whole (spec.resources, from 1.34 on), in sidecars (from 1.29 on) and in a quota's scope
// VolumeAttributesClass (from 1.33 on). What mutating webhooks add and what an API server's own configuration limits
// (LimitedResources) can't be seen.
package quota
