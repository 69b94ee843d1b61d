# Run 'make help' for a list of all targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## list all targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Development

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# Reproducible: the same source, VERSION and Go give the same bytes, whatever the directory, git state and environment.
COMPILE = CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false GOAMD64=v1 GOARM64=v8.0 \
	go build -trimpath -ldflags '-s -w -X main.release=$(VERSION)'

.PHONY: build
build: ## build bin/kfp-preflight (VERSION=v1.2.3 sets the version)
	$(COMPILE) -o bin/kfp-preflight ./cmd/kfp-preflight

.PHONY: test
test: controlplane ## run all tests, including those with a real API server and workflow-controller
	go test ./...
	go test -C hack/image -count=1 ./... # these tests run make, so Go can't tell whether cached results are valid

.PHONY: lint
lint: ## run gofmt, go vet, go mod tidy, staticcheck and actionlint
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted (gofmt -w): $$unformatted"; exit 1; }
	go vet ./...
	go mod tidy -diff
	go tool -modfile=hack/lint/go.mod staticcheck ./...
	go vet -C hack/image ./...
	go mod tidy -C hack/image -diff
	go tool -C hack/image -modfile=../lint/go.mod staticcheck ./...
	go tool -modfile=hack/lint/go.mod actionlint

.PHONY: vuln
vuln: ## check the program for known vulnerabilities (VULNDB=URL uses another database)
	@hack/vuln $(if $(VULNDB),-db $(VULNDB))

.PHONY: conformance
conformance: controlplane ## compare forecasts with the pods that Argo creates (CORPUS=DIR adds Workflows)
	go test -count=1 -v ./validators/forecast/conformance

.PHONY: soak
soak: controlplane build ## run the shipped Deployment under load and show its growth (FOR=30m)
	@go build -o bin/soak ./hack/soak
	@exec bin/soak -for $(or $(FOR),30m)

.PHONY: bench
bench: ## run the Go benchmarks (BENCH=REGEXP selects, COUNT=6 repeats for benchstat)
	go test ./webhook ./validators -run '^$$' -bench '$(or $(BENCH),.)' -count $(or $(COUNT),1) -cpu 1

.PHONY: load
load: controlplane-core build ## measure latency, CPU and memory of a running server (FLAGS=-help lists options)
	@go build -o bin/load ./hack/load
	@exec bin/load $(FLAGS)

FUZZ = webhook:FuzzHandler webhook:FuzzDecodeFast webhook:FuzzConfig validators/objects:FuzzDrivers validators/objects:FuzzPodSpecPatch \
	validators/objects:FuzzPipeline validators/forecast:FuzzWorkflow validators/forecast:FuzzResolve validators/explain:FuzzExplain

.PHONY: fuzz
fuzz: ## run all fuzz tests (FOR=10m each)
	@for f in $(FUZZ); do echo "== $$f"; \
		go test ./$${f%%:*} -run - -fuzz "^$${f##*:}$$" -fuzztime $(or $(FOR),10m) -fuzzminimizetime 10x || exit 1; \
	done

.PHONY: cases
cases: ## regenerate the expected messages in testdata and docs/errors.md
	go test ./validators/ -run 'TestCases|TestMessages' -update
	go test ./validators/explain/ -run TestPage -update

.PHONY: demo
demo: controlplane-core build ## show kfp-preflight on a real API server (HOLD=1 keeps it running)
	@go build -o bin/demo ./hack/demo
	@exec bin/demo $(if $(HOLD),-hold)

.PHONY: clean
clean: ## delete bin/
	rm -rf bin

##@ Releases

# Programs and images are reproducible: the same commit and the same Go give the same digests on every machine.

PLATFORMS ?= linux/amd64 linux/arm64
PROGRAMS ?= bin/release
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
IMAGE_VERSION = $(or $(VERSION),devel)

.PHONY: programs
programs: ## build the program for all PLATFORMS into bin/release
	@for p in $(PLATFORMS); do \
		GOOS=$${p%/*} GOARCH=$${p#*/}; export GOOS GOARCH; \
		$(COMPILE) -o $(PROGRAMS)/kfp-preflight-$$GOOS-$$GOARCH$$(go env GOEXE) ./cmd/kfp-preflight || exit 1; \
	done

.PHONY: image
image: programs ## build the container image for all PLATFORMS into bin/image (PUSH=NAME:TAG also pushes it)
	@go build -C hack/image -o ../../bin/pack-image .
	@bin/pack-image -programs $(PROGRAMS) -platforms '$(PLATFORMS)' -version '$(IMAGE_VERSION)' -revision '$(REVISION)' \
		-created $(SOURCE_DATE_EPOCH) $(if $(PUSH),-push '$(PUSH)')

.PHONY: sbom
sbom: programs ## write a CycloneDX SBOM for each program into bin/release
	@for p in $(PLATFORMS); do \
		program=$(PROGRAMS)/kfp-preflight-$${p/\//-}$$(GOOS=$${p%/*} go env GOEXE); \
		go tool -modfile=hack/sbom/go.mod cyclonedx-gomod bin -json -std -noserial -notimestamp -version '$(IMAGE_VERSION)' \
			-output $$program.cdx.json $$program || exit 1; \
	done

.PHONY: release
release: ## build all files of a release into bin/release and push the image (PUSH=NAME:TAG)
	@[ -n '$(PUSH)' ] || { echo 'usage: make release PUSH=NAME:TAG' >&2; exit 2; }
	@rm -rf bin/release
	@$(MAKE) --no-print-directory sbom PLATFORMS='linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64'
	@$(MAKE) --no-print-directory image
	@hack/render '$(PUSH)@'$$(cat bin/image/digest) bin/release
	@cd bin/release && sha256sum -- * >../SHA256SUMS && mv ../SHA256SUMS .

##@ Test control plane

# Real programs, built from the Go module proxy into bin/. The go.mod files under hack/ determine their versions. If
# KUBEBUILDER_ASSETS is set, etcd, kube-apiserver and kubectl are taken from there instead.

CORE := etcd kube-apiserver kubectl
REST := kube-controller-manager workflow-controller

.PHONY: controlplane controlplane-core
controlplane: controlplane-core $(REST:%=bin/%) ## build all programs of the control plane (12 minutes cold on two cores)
ifdef KUBEBUILDER_ASSETS
controlplane-core:
	@echo "using the control plane in $(KUBEBUILDER_ASSETS)"
else
controlplane-core: $(CORE:%=bin/%) ## build those that the demo needs (7 minutes cold on two cores)
endif

bin/etcd: hack/kubernetes/go.mod
	hack/build etcd hack/kubernetes go.etcd.io/etcd/server/v3
bin/kube-apiserver bin/kube-controller-manager bin/kubectl: bin/%: hack/kubernetes/go.mod
	hack/build $* hack/kubernetes k8s.io/kubernetes/cmd/$*
bin/workflow-controller: hack/argo/go.mod
	hack/build workflow-controller hack/argo github.com/argoproj/argo-workflows/v3/cmd/workflow-controller
