# kfp-preflight: make help lists what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##  The project

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# Static, and with nothing in it of the directory, of git or of the environment: the same source, version and Go give the same bytes.
COMPILE = CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false GOAMD64=v1 GOARM64=v8.0 \
	go build -trimpath -ldflags '-s -w -X main.release=$(VERSION)'

.PHONY: build
build: ## build bin/kfp-preflight; VERSION=V is what it calls itself
	$(COMPILE) -o bin/kfp-preflight ./cmd/kfp-preflight

.PHONY: test
test: controlplane ## run all tests, those against a real API server and a real workflow-controller among them
	go test ./...
	go test -C hack/image -count=1 ./... # go does not see that they build the program

.PHONY: lint
lint: ## gofmt, go vet, go mod tidy, staticcheck and actionlint
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted (gofmt -w): $$unformatted"; exit 1; }
	go vet ./...
	go mod tidy -diff
	go tool -modfile=hack/lint/go.mod staticcheck ./...
	go vet -C hack/image ./...
	go mod tidy -C hack/image -diff
	go tool -C hack/image -modfile=../lint/go.mod staticcheck ./...
	go tool -modfile=hack/lint/go.mod actionlint

.PHONY: vuln
vuln: ## look for known vulnerabilities in what the program calls; VULNDB=URL for another database
	@hack/vuln $(if $(VULNDB),-db $(VULNDB))

.PHONY: conformance
conformance: controlplane ## compare the forecast with the pods that Argo really creates; CORPUS=DIR adds Workflows
	go test -count=1 -v ./validators/forecast/conformance

.PHONY: soak
soak: controlplane build ## keep the shipped Deployment at work for half an hour, and see whether it grows; FOR=30m
	@go build -o bin/soak ./hack/soak
	@exec bin/soak -for $(or $(FOR),30m)

.PHONY: bench
bench: ## benchmarks, beside webhooks that do less; COUNT=6 runs of each are what benchstat wants, BENCH=REGEXP chooses
	go test ./webhook ./validators -run '^$$' -bench '$(or $(BENCH),.)' -count $(or $(COUNT),1) -cpu 1

.PHONY: load
load: controlplane-core build ## measure a running server under load, and through a real API server; FLAGS=-help
	@go build -o bin/load ./hack/load
	@exec bin/load $(FLAGS)

FUZZ = webhook:FuzzHandler webhook:FuzzDecodeFast webhook:FuzzConfig validators/objects:FuzzDrivers validators/objects:FuzzPodSpecPatch \
	validators/objects:FuzzPipeline validators/forecast:FuzzWorkflow validators/forecast:FuzzResolve validators/explain:FuzzExplain

.PHONY: fuzz
fuzz: ## throw made-up input at all that reads input; FOR=10m each
	@for f in $(FUZZ); do echo "== $$f"; \
		go test ./$${f%%:*} -run - -fuzz "^$${f##*:}$$" -fuzztime $(or $(FOR),10m) -fuzzminimizetime 10x || exit 1; \
	done

.PHONY: cases
cases: ## write what is generated: what the rules say beside the cases in testdata, docs/errors.md
	go test ./validators/ -run 'TestCases|TestMessages' -update
	go test ./validators/explain/ -run TestPage -update

.PHONY: demo
demo: controlplane-core build ## play the story on a real API server; HOLD=1 leaves it running
	@go build -o bin/demo ./hack/demo
	@exec bin/demo $(if $(HOLD),-hold)

##  Releases: the same commit and the same Go give the same programs and the same image, wherever they are built

PLATFORMS ?= linux/amd64 linux/arm64
PROGRAMS ?= bin/release
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
named = $(or $(VERSION),devel)

.PHONY: programs
programs: ## build the program for each of PLATFORMS into bin/release
	@for p in $(PLATFORMS); do \
		GOOS=$${p%/*} GOARCH=$${p#*/}; export GOOS GOARCH; \
		$(COMPILE) -o $(PROGRAMS)/kfp-preflight-$$GOOS-$$GOARCH$$(go env GOEXE) ./cmd/kfp-preflight || exit 1; \
	done

.PHONY: image
image: programs ## build the container image for each of PLATFORMS into bin/image; PUSH=REFERENCE also pushes it
	@go build -C hack/image -o ../../bin/pack-image .
	@bin/pack-image -programs $(PROGRAMS) -platforms '$(PLATFORMS)' -version '$(named)' -revision '$(REVISION)' \
		-created $(SOURCE_DATE_EPOCH) $(if $(PUSH),-push '$(PUSH)')

.PHONY: sbom
sbom: programs ## write the modules in the program for each of PLATFORMS beside it, as CycloneDX
	@for p in $(PLATFORMS); do \
		program=$(PROGRAMS)/kfp-preflight-$${p/\//-}$$(GOOS=$${p%/*} go env GOEXE); \
		go tool -modfile=hack/sbom/go.mod cyclonedx-gomod bin -json -std -noserial -notimestamp -version '$(named)' \
			-output $$program.cdx.json $$program || exit 1; \
	done

.PHONY: release
release: ## all that a release has, into an empty bin/release; PUSH=NAME:TAG is where the image goes
	@[ -n '$(PUSH)' ] || { echo 'make release PUSH=NAME:TAG' >&2; exit 2; }
	@rm -rf bin/release
	@$(MAKE) --no-print-directory sbom PLATFORMS='linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64'
	@$(MAKE) --no-print-directory image
	@hack/render '$(PUSH)@'$$(cat bin/image/digest) bin/release
	@cd bin/release && sha256sum -- * >../SHA256SUMS && mv ../SHA256SUMS .

##  The test control plane: real programs, built from the Go module proxy into bin/. Their versions stand in the go.mod files
##  under hack/. With KUBEBUILDER_ASSETS set, its etcd, kube-apiserver and kubectl are used and none are built.

CORE := etcd kube-apiserver kubectl
REST := kube-controller-manager workflow-controller

.PHONY: controlplane controlplane-core
controlplane: controlplane-core $(REST:%=bin/%) ## build the whole test control plane (about 12 minutes cold on two cores)
ifdef KUBEBUILDER_ASSETS
controlplane-core:
	@echo "using the control plane in $(KUBEBUILDER_ASSETS)"
else
controlplane-core: $(CORE:%=bin/%) ## build what the demo needs of it (about 7 minutes cold on two cores)
endif

bin/etcd: hack/kubernetes/go.mod
	hack/build etcd hack/kubernetes go.etcd.io/etcd/server/v3
bin/kube-apiserver bin/kube-controller-manager bin/kubectl: bin/%: hack/kubernetes/go.mod
	hack/build $* hack/kubernetes k8s.io/kubernetes/cmd/$*
bin/workflow-controller: hack/argo/go.mod
	hack/build workflow-controller hack/argo github.com/argoproj/argo-workflows/v3/cmd/workflow-controller

.PHONY: clean
clean: ## remove bin/
	rm -rf bin
