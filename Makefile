# The tasks of this repository; `make` lists them. Needed: Go, git, make and a C compiler. Everything else is built
# from Go modules at the versions that hack/tools and hack/controlplane pin.

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

# Relative, so that the path of the checkout may have spaces, of which make knows nothing. What changes folders takes
# $(abspath ...), in quotes.
BIN := bin
DIST := dist
# A go.work around the checkout is about other modules.
export GOWORK := off
API := ./api/v1alpha1
CLI := github.com/lxp-dev/course-completion-operator/internal/cli
# Without gRPC's debugging pages, which nothing serves, and whose templates call methods by name: with them the
# linker keeps every method, a third of each program. See docs/decisions/0020-two-files.md.
BUILD_TAGS := grpcnotrace
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# The image that `make image` builds and `make deploy` and `make build-installer` install.
IMG ?= course-completion-operator:$(VERSION)
CONTAINER_TOOL ?= docker
KUBECTL ?= kubectl

# Every Go module here; those below keep their dependencies out of the product's.
MODULES := . hack/dashboards hack/tools hack/controlplane test/alerts test/gitops test/upgrade/etcdtools

# A package whose tests start a control plane takes a while to start and much memory: two at once, no more.
TEST_PARALLEL ?= 2
TEST_TIMEOUT ?= 40m
# Arguments for the benchmark and the fault tests, see docs/benchmark.md and docs/faults.md.
BENCH_ARGS ?=
FAULTS_ARGS ?= --duration 10m
# More arguments for go test, such as TEST_ARGS='-run TestGrant -v'.
TEST_ARGS ?=

ACTIONLINT := $(BIN)/actionlint
CONTROLLER_GEN := $(BIN)/controller-gen
CRD_REF_DOCS := $(BIN)/crd-ref-docs
GOLANGCI_LINT := $(BIN)/golangci-lint
GOVULNCHECK := $(BIN)/govulncheck
KUSTOMIZE := $(BIN)/kustomize

##@ General

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make <target>\n"} \
		/^[a-zA-Z0-9_-]+:.*?##/ {printf "  %-17s %s\n", $$1, $$2} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## Remove what was built here; the control plane's cache outside the checkout stays.
	rm -rf $(BIN) $(DIST) coverage*

##@ Try it

# Compilers and linkers end within seconds: collecting garbage would be up to a third of their CPU time.
COLLECT_LATE := GOGC=off GOMEMLIMIT=2GiB

.PHONY: run
run: ## Start everything on a real control plane and keep it up until ctrl-C.
	@$(COLLECT_LATE) go build -ldflags=-w -o $(BIN)/run ./hack/run && exec $(BIN)/run

.PHONY: demo
demo: ## Start everything, post the example delivery, check what came of it, tear down.
	@$(COLLECT_LATE) go build -ldflags=-w -o $(BIN)/run ./hack/run && exec $(BIN)/run --demo

##@ Development

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate deepcopy functions.
	@echo "==> generating deepcopy functions"
	@$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=$(API)

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRDs; config/rbac is written by hand.
	@echo "==> generating CRDs into config/crd/bases"
	@$(CONTROLLER_GEN) crd paths=$(API) output:crd:artifacts:config=config/crd/bases

.PHONY: docs-api
docs-api: $(CRD_REF_DOCS) ## Generate docs/api-reference.md.
	@echo "==> generating docs/api-reference.md"
	@mkdir -p docs
	@$(CRD_REF_DOCS) --source-path=$(API) --config=hack/tools/crd-ref-docs.yaml --renderer=markdown \
		--output-path=docs/api-reference.md --log-level=WARN

.PHONY: docs-cli
docs-cli: ## Generate docs/cli from the commands of the plugin.
	@echo "==> generating docs/cli"
	@go run ./hack/clidocs

.PHONY: docs-metrics
docs-metrics: ## Generate docs/metrics.md from where the code defines the metrics.
	@echo "==> generating docs/metrics.md"
	@go run ./hack/metricsdocs

.PHONY: dashboards
dashboards: ## Generate the dashboards of config/components/grafana.
	@echo "==> generating the dashboards"
	@go run -C hack/dashboards . "$(CURDIR)/config/components/grafana"

.PHONY: pictures
pictures: controlplane ## Draw the dashboards of docs/images: plays days of deliveries in minutes.
	@go run ./hack/pictures

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go code and order its imports.
	@$(GOLANGCI_LINT) fmt

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Lint every module.
	@$(GOLANGCI_LINT) config verify
	@for module in $(MODULES); do \
		echo "==> linting $$module"; \
		(cd $$module && "$(abspath $(GOLANGCI_LINT))" run --config "$(CURDIR)/.golangci.yml") || failed=1; \
	done; [ -z "$$failed" ]

.PHONY: lint-fix
lint-fix: $(GOLANGCI_LINT) ## Lint every module and fix what can be fixed.
	@for module in $(MODULES); do \
		echo "==> linting $$module"; \
		(cd $$module && "$(abspath $(GOLANGCI_LINT))" run --fix --config "$(CURDIR)/.golangci.yml") || failed=1; \
	done; [ -z "$$failed" ]

.PHONY: verify
verify: $(ACTIONLINT) $(CONTROLLER_GEN) $(CRD_REF_DOCS) $(KUSTOMIZE)
verify: ## Check generated files, go.mod, kustomizations, workflows.
	@ACTIONLINT=$(ACTIONLINT) KUSTOMIZE=$(KUSTOMIZE) MODULES="$(MODULES)" hack/tools/verify.sh

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## Look for known vulnerabilities (asks the Go vulnerability database).
	@$(GOVULNCHECK) ./...

##@ Test

.PHONY: controlplane
controlplane: ## Build the control plane for the tests into its cache (minutes, once per version).
	@echo "==> building the control plane, unless the cache has it"
	@go run -C hack/controlplane . build

.PHONY: test
test: controlplane ## Run all tests, on a real control plane where they need one.
	@echo "==> testing the product"
	@go test -p $(TEST_PARALLEL) -timeout $(TEST_TIMEOUT) $(TEST_ARGS) ./...
	@echo "==> testing hack/controlplane"
	@go test -C hack/controlplane -timeout $(TEST_TIMEOUT) $(TEST_ARGS) ./...
	@echo "==> testing the alerts, whose files the test cache does not know"
	@go test -C test/alerts -count=1 -timeout $(TEST_TIMEOUT) $(TEST_ARGS) ./...
	@echo "==> testing what GitOps tools make of our objects, whose files the test cache does not know"
	@go test -C test/gitops -count=1 -timeout $(TEST_TIMEOUT) $(TEST_ARGS) ./...

.PHONY: test-ingress
test-ingress: controlplane ## Bring deliveries through Traefik, which is built from source: minutes, the first time.
	@go test -tags ingress -count=1 -v -timeout $(TEST_TIMEOUT) $(TEST_ARGS) ./test/ingress

.PHONY: test-unit
test-unit: ## Run the tests of the packages that start no control plane.
	@packages=$$(hack/tools/unit-packages.sh) && go test -timeout 5m $(TEST_ARGS) $$packages

# How late test-slow has each watch of a manager, another time for each kind; how many cores it leaves to the tests (all
# when empty); and how many processes compete with them. The delays of a seed are the same in every run.
LATE_WATCHES ?= 2s
SLOW_CORES ?=
SLOW_BURNERS ?= 0

.PHONY: test-slow
test-slow: controlplane ## Test the loops with late watches; SLOW_CORES=1 SLOW_BURNERS=2 LATE_WATCHES_SEED=7 make test-slow.
	@seed=$${LATE_WATCHES_SEED:-$$RANDOM}; \
		echo "==> testing the loops with LATE_WATCHES=$(LATE_WATCHES) LATE_WATCHES_SEED=$$seed"; \
		LATE_WATCHES=$(LATE_WATCHES) LATE_WATCHES_SEED=$$seed SLOW_CORES=$(SLOW_CORES) SLOW_BURNERS=$(SLOW_BURNERS) \
		go test -count=1 -exec "'$(CURDIR)/hack/tools/slow.sh'" -timeout $(TEST_TIMEOUT) $(TEST_ARGS) ./controllers

# How long each fuzz target runs.
FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME, one after the other.
	@FUZZTIME=$(FUZZTIME) hack/tools/fuzz.sh

.PHONY: bench
bench: controlplane ## Measure the intake against references of the same run; BENCH_ARGS=--short only shows that it works.
	@go run ./test/bench $(BENCH_ARGS)

.PHONY: faults
faults: controlplane ## Let everything fail under load and check that nothing is lost; FAULTS_ARGS='--rounds 100 --seed 1'.
	@go run ./test/faults $(FAULTS_ARGS)

##@ Build

.PHONY: build
build: ## Build both programs and the plugin kubectl course into bin/.
	@echo "==> building $(VERSION) into bin/"
	@CGO_ENABLED=0 go build -trimpath -tags $(BUILD_TAGS) \
		-ldflags '-X main.version=$(VERSION) -X $(CLI)/version.Plugin=$(VERSION)' \
		-o $(BIN)/ ./cmd/webhook-server ./cmd/controller-manager ./cmd/kubectl-course
	@install -m 755 cmd/kubectl-course/kubectl_complete-course $(BIN)/

.PHONY: image
image: ## Build the container image IMG.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) --tag $(IMG) .

.PHONY: build-installer
build-installer: $(DIST)/install.yaml ## Write dist/install.yaml, which installs the image IMG.

# An overlay in dist/, so that choosing an image edits no file of the repository.
.PHONY: $(DIST)/install.yaml
$(DIST)/install.yaml: $(KUSTOMIZE)
	@echo "==> building dist/install.yaml for $(IMG)"
	@rm -rf $(DIST)/overlay && mkdir -p $(DIST)/overlay
	@cd $(DIST)/overlay && "$(abspath $(KUSTOMIZE))" create --resources ../../config/default && \
		"$(abspath $(KUSTOMIZE))" edit set image course-completion-operator=$(IMG)
	@$(KUSTOMIZE) build $(DIST)/overlay > $@

include hack/release/release.mk

##@ Deploy to the cluster of the current kubeconfig

# Server-side: a CRD is longer than the annotation that a client-side apply keeps.
.PHONY: install
install: $(KUSTOMIZE) ## Install the CRDs.
	@$(KUSTOMIZE) build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: $(KUSTOMIZE) ## Remove the CRDs, and with them every object of ours; the controller-manager has to run.
	@echo "==> removing the CRDs; what grants provisioned stays"
	@$(KUSTOMIZE) build config/crd | $(KUBECTL) delete --ignore-not-found --timeout=5m -f - || \
		{ echo "a Grant is held by its finalizer: is the controller-manager running? See docs/install.md, Uninstalling" >&2; exit 1; }

.PHONY: deploy
deploy: build-installer ## Install everything, with the image IMG.
	@$(KUBECTL) apply --server-side -f $(DIST)/install.yaml

.PHONY: undeploy
undeploy: uninstall build-installer ## Remove everything that `make deploy` installed; learners' namespaces stay.
	@$(KUBECTL) delete --ignore-not-found -f $(DIST)/install.yaml

##@ Tools

.PHONY: tools
tools: $(CONTROLLER_GEN) $(CRD_REF_DOCS) $(GOLANGCI_LINT) $(KUSTOMIZE) ## Build the tools into bin/.

# go build leaves a file alone that would not change; touching it tells make that it is up to date.
define build-tool
@echo "==> building $(@F) (hack/tools)"
@go build -C hack/tools -o "$(abspath $@)" $(1)
@touch $@
endef

TOOLS_PINNED := hack/tools/go.mod hack/tools/go.sum

$(ACTIONLINT): $(TOOLS_PINNED)
	$(call build-tool,github.com/rhysd/actionlint/cmd/actionlint)

$(CONTROLLER_GEN): $(TOOLS_PINNED)
	$(call build-tool,sigs.k8s.io/controller-tools/cmd/controller-gen)

$(CRD_REF_DOCS): $(TOOLS_PINNED)
	$(call build-tool,github.com/elastic/crd-ref-docs)

$(GOLANGCI_LINT): $(TOOLS_PINNED) hack/tools/golangci-lint/main.go
	@echo "==> golangci-lint and its plugins take some minutes the first time"
	$(call build-tool,./golangci-lint)

$(GOVULNCHECK): $(TOOLS_PINNED)
	$(call build-tool,golang.org/x/vuln/cmd/govulncheck)

$(KUSTOMIZE): $(TOOLS_PINNED)
	$(call build-tool,sigs.k8s.io/kustomize/kustomize/v5)

$(CRANE): $(TOOLS_PINNED)
	$(call build-tool,github.com/google/go-containerregistry/cmd/crane)

$(KREW): $(TOOLS_PINNED)
	$(call build-tool,sigs.k8s.io/krew/cmd/krew)
