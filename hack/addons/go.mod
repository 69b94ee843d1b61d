// The projects that kfp-preflight is installed beside. The tests use the CRDs in these modules.
module github.com/kfp-preflight/kfp-preflight/hack/addons

go 1.26

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
