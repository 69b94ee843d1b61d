// The versions of what kfp-preflight is installed beside: the tests take the CRDs out of these modules.
module github.com/kfp-preflight/kfp-preflight/hack/addons

go 1.26

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
