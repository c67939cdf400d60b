# syntax=docker/dockerfile:1
# One image, both programs: the Deployment says which one runs. It is for `make image`; the image of a release is made
# without Docker, by hack/tools/image, with the Go version that stands here.

FROM --platform=${BUILDPLATFORM:-linux/amd64} golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src

# Dependencies change less often than the code, so they are a layer of their own.
COPY go.mod go.sum ./
RUN go mod download

COPY api/ api/
COPY cmd/ cmd/
COPY controllers/ controllers/
COPY internal/ internal/
COPY webhookserver/ webhookserver/
# The tag is BUILD_TAGS of the Makefile. The image has to stay under 100 MB, and the base below has two or three.
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} \
    go build -trimpath -tags grpcnotrace -ldflags "-s -w -X main.version=${VERSION}" \
    -o /out/ ./cmd/webhook-server ./cmd/controller-manager && \
    { [ "$(cat /out/* | wc -c)" -lt 95000000 ] || { echo "the image would have 100 MB or more" >&2; exit 1; }; }

FROM gcr.io/distroless/static-debian13:nonroot@sha256:1c2c046bc09ed40fad370b599a0b1ae7987f55b01e247cf27a7c27cd97e5bbc7
COPY --from=build /out/webhook-server /out/controller-manager /
# A number, since the kubelet cannot check runAsNonRoot against a name.
USER 65532:65532
