// Package quota decides, as kube-apiserver does, whether the ResourceQuotas of a namespace let a pod in as far as its
// containers must name compute resources: the refusal that reads "failed quota: NAME: must specify cpu for: init,wait".
//
// [Decide] goes the way of a pod through the API server: [Defaults] fills requests from limits and applies the
// LimitRanges, then every quota whose names and scopes match the pod is asked which of its names a container lacks.
// Amounts play no part: a quota that is used up makes a pod wait, not fail.
//
// Sources: k8s.io/kubernetes v1.37.2 pkg/quota/v1/evaluator/core/pods.go, pkg/apis/core/v1/defaults.go,
// plugin/pkg/admission/limitranger/admission.go; k8s.io/apiserver v0.37.2 pkg/quota/v1/generic/evaluator.go.
//
// Assumed: Kubernetes 1.34 or newer, where resources of the pod as a whole (spec.resources) lift the demand on its
// containers. An older server asks the containers all the same.
package quota
