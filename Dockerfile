# syntax=docker/dockerfile:1
# One image, both programs: the Deployment says which one runs.

FROM --platform=${BUILDPLATFORM:-linux/amd64} golang:1.26.8 AS build
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
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./cmd/webhook-server ./cmd/controller-manager

FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/webhook-server /out/controller-manager /
# A number, since the kubelet cannot check runAsNonRoot against a name.
USER 65532:65532
