# The steps of a release, in their order; docs/releasing.md explains them, .github/workflows/release.yaml runs them.
# Up to release-check they need neither a registry nor an identity.

# A commit without a tag is called v0.0.0-dev.gCOMMIT, since krew takes nothing but semantic versions.
RELEASE_VERSION ?= $(if $(filter v%,$(VERSION)),$(VERSION),v0.0.0-dev.g$(VERSION))
RELEASE_IMAGE ?= ghcr.io/lxp-dev/course-completion-operator
# The plugin is built for all of these, the image for those of Linux.
RELEASE_PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
IMAGE_PLATFORMS = $(filter linux/%,$(RELEASE_PLATFORMS))
# What users can do about vulnerabilities that a release has: VEX_ARGS="--action 'GO-2026-1234=Do not ...'".
VEX_ARGS ?=
COSIGN ?= cosign
CRANE := $(BIN)/crane
KREW := $(BIN)/krew

# What the steps make: programs, the image as an OCI layout with its digest beside it, and the files to publish.
PROGRAMS := $(DIST)/programs
IMAGE_LAYOUT := $(DIST)/image
FILES := $(DIST)/release
EPOCH = $(shell git log -1 --format=%ct)
IMAGE_REF = $(RELEASE_IMAGE)@$$(cat $(IMAGE_LAYOUT).digest)
# The certificates of authorities in the image.
ROOTS = $(shell go list -C hack/tools -m golang.org/x/crypto/x509roots/fallback)

##@ Release

# Not stamped with the commit: go build does that in some kinds of checkout (a clone) and not in others (a worktree, an
# archive), and the programs have to be the same in all of them. The tag is in them, the commit in what describes them.
.PHONY: release-programs
release-programs: ## Build the programs of a release for RELEASE_PLATFORMS.
	@rm -rf $(PROGRAMS)
	@for platform in $(RELEASE_PLATFORMS); do \
		echo "==> building $(RELEASE_VERSION) for $$platform"; \
		packages=./cmd/kubectl-course; \
		case $$platform in linux/*) packages="$$packages ./cmd/webhook-server ./cmd/controller-manager" ;; esac; \
		mkdir -p $(PROGRAMS)/$$platform; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} GOAMD64=v1 GOARM64=v8.0 \
			go build -trimpath -buildvcs=false -tags $(BUILD_TAGS) \
			-ldflags '-s -w -X main.version=$(RELEASE_VERSION) -X $(CLI)/version.Plugin=$(RELEASE_VERSION)' \
			-o $(PROGRAMS)/$$platform/ $$packages; \
	done

.PHONY: release-archives
release-archives: release-programs ## Pack the plugin, for each platform.
	@echo "==> packing the plugin"
	@rm -rf $(FILES) && mkdir -p $(FILES)
	@for platform in $(RELEASE_PLATFORMS); do \
		name=$(FILES)/kubectl-course_$(RELEASE_VERSION)_$${platform%/*}_$${platform#*/}; dir=$(PROGRAMS)/$$platform; \
		case $$platform in \
			windows/*) go run ./hack/release archive --epoch $(EPOCH) --output $$name.zip \
				$$dir/kubectl-course.exe LICENSE ;; \
			*) go run ./hack/release archive --epoch $(EPOCH) --output $$name.tar.gz \
				$$dir/kubectl-course cmd/kubectl-course/kubectl_complete-course LICENSE ;; \
		esac; \
	done

.PHONY: release-krew
release-krew: release-archives ## Write the krew manifest of the plugin, course.yaml.
	@go run ./hack/release krew --version $(RELEASE_VERSION) --output $(FILES)/course.yaml $(FILES)

.PHONY: release-image
release-image: release-programs ## Make the image of IMAGE_PLATFORMS, dist/image, without a daemon or a base.
	@echo "==> making the image in dist/image"
	@rm -rf $(IMAGE_LAYOUT)
	@go run -C hack/tools ./image build --output "$(abspath $(IMAGE_LAYOUT))" --version $(RELEASE_VERSION) \
		--revision $$(git rev-parse HEAD) --epoch $(EPOCH) --licence "$(CURDIR)/LICENSE" \
		$(foreach platform,$(IMAGE_PLATFORMS),--programs $(platform)="$(abspath $(PROGRAMS)/$(platform))") >$(IMAGE_LAYOUT).digest

.PHONY: release-installer
release-installer: release-archives release-image ## Write install.yaml, which installs the image by its digest.
	@$(MAKE) --no-print-directory build-installer IMG=$(IMAGE_REF)
	@cp $(DIST)/install.yaml $(FILES)/install.yaml

.PHONY: release-sbom
release-sbom: release-archives ## Write an SBOM (SPDX) of each archive and of the image of each platform.
	@echo "==> writing the SBOMs"
	@for archive in $(FILES)/kubectl-course_*; do \
		name=$$(basename $${archive%.zip} .tar.gz); platform=$${name#kubectl-course_$(RELEASE_VERSION)_}; \
		go run ./hack/release sbom --name $$name --version $(RELEASE_VERSION) --epoch $(EPOCH) --purpose ARCHIVE \
			--subject $$archive --output $(FILES)/$$name.spdx.json $(PROGRAMS)/$${platform/_//}/kubectl-course*; \
	done
	@for platform in $(IMAGE_PLATFORMS); do \
		name=image_$(RELEASE_VERSION)_$${platform/\//_}; \
		go run ./hack/release sbom --name $$name --version $(RELEASE_VERSION) --epoch $(EPOCH) --purpose CONTAINER \
			--module '$(ROOTS)' --output $(FILES)/$$name.spdx.json \
			$(PROGRAMS)/$$platform/webhook-server $(PROGRAMS)/$$platform/controller-manager; \
	done

.PHONY: release-files
release-files: release-krew release-installer release-sbom ## Make all files of a release, and their checksums.
	@go run ./hack/release checksums $(FILES)
	@cd $(DIST) && sha256sum image.digest release/SHA256SUMS

.PHONY: release-notes
release-notes: ## Write dist/notes.md from the changelog.
	@mkdir -p $(DIST)
	@go run ./hack/release notes --version $(RELEASE_VERSION) \
		$$([ -e $(IMAGE_LAYOUT).digest ] && echo --image $(IMAGE_REF)) >$(DIST)/notes.md

.PHONY: release-check
release-check: $(KUSTOMIZE) $(KREW) ## Make a release for this machine's platform, twice, and check all of it.
	@KUSTOMIZE=$(KUSTOMIZE) KREW=$(KREW) hack/release/check.sh

.PHONY: release-vex
release-vex: $(GOVULNCHECK) ## Write dist/openvex.json, where there are vulnerabilities (asks Go's database).
	@$(GOVULNCHECK) -tags $(BUILD_TAGS) -format openvex ./cmd/webhook-server ./cmd/controller-manager >$(DIST)/govulncheck.json
	@go run ./hack/release vex --version $(RELEASE_VERSION) --epoch $$(date +%s) --image $(IMAGE_REF) $(VEX_ARGS) \
		<$(DIST)/govulncheck.json >$(DIST)/openvex.json || { rm $(DIST)/openvex.json; exit 1; }
	@[ -s $(DIST)/openvex.json ] || rm $(DIST)/openvex.json

.PHONY: release-push
release-push: $(CRANE) ## Push the image to RELEASE_IMAGE.
	@$(CRANE) push $(IMAGE_LAYOUT) $(RELEASE_IMAGE):$(RELEASE_VERSION)
	@[ "$$($(CRANE) digest $(RELEASE_IMAGE):$(RELEASE_VERSION))" = "$$(cat $(IMAGE_LAYOUT).digest)" ] || \
		{ echo "the registry has another digest than $(IMAGE_LAYOUT).digest" >&2; exit 1; }

.PHONY: release-sign
release-sign: $(CRANE) ## Sign image and checksums, and attest SBOMs and VEX, without a key (needs an OIDC identity).
	@$(COSIGN) sign --yes $(IMAGE_REF)
	@for platform in $(IMAGE_PLATFORMS); do \
		digest=$$($(CRANE) digest --platform $$platform $(IMAGE_REF)); \
		$(COSIGN) attest --yes --type spdxjson \
			--predicate $(FILES)/image_$(RELEASE_VERSION)_$${platform/\//_}.spdx.json $(RELEASE_IMAGE)@$$digest; \
	done
	@[ ! -e $(DIST)/openvex.json ] || \
		$(COSIGN) attest --yes --type openvex --predicate $(DIST)/openvex.json $(IMAGE_REF)
	@$(COSIGN) sign-blob --yes --bundle $(FILES)/SHA256SUMS.sigstore.json $(FILES)/SHA256SUMS

.PHONY: release-draft
release-draft: ## Make a draft of the release on GitHub, with notes and all files (needs gh).
	@files="$(FILES)/*"; [ ! -e $(DIST)/openvex.json ] || files="$$files $(DIST)/openvex.json"; \
		gh release create $(RELEASE_VERSION) --draft --verify-tag --title $(RELEASE_VERSION) \
		$(if $(findstring -,$(RELEASE_VERSION)),--prerelease) --notes-file $(DIST)/notes.md $$files
