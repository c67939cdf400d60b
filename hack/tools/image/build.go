// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// user is a number, since the kubelet cannot check runAsNonRoot against a name.
	user           = "65532:65532"
	authoritiesPem = "etc/ssl/certs/ca-certificates.crt"
	project        = "https://github.com/lxp-dev/course-completion-operator"
)

// programs are what the image is for; the Deployment and the StatefulSet say which one runs.
func programs() []string { return []string{"controller-manager", "webhook-server"} }

// recipe is what decides the bytes of an image.
type recipe struct {
	version, revision string
	created           time.Time
	licence           []byte
	// programs has the folder with the programs of each platform.
	programs map[string]string
}

// file is one in a layer; a folder where the name ends in a slash.
type file struct {
	name string
	mode int64
	data []byte
}

// write writes the image of all platforms as an OCI layout and returns its digest.
func (r recipe) write(dir string) (string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range slices.Sorted(maps.Keys(r.programs)) {
		image, err := r.image(platform)
		if err != nil {
			return "", fmt.Errorf("%s: %w", platform, err)
		}
		at, err := v1.ParsePlatform(platform)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: at}})
	}
	annotated, ok := mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	if !ok {
		return "", fmt.Errorf("an index with annotations is no index")
	}
	out, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", err
	}
	if err := out.AppendIndex(annotated); err != nil {
		return "", err
	}
	digest, err := annotated.Digest()
	return digest.String(), err
}

func (r recipe) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":    "course-completion-operator",
		"org.opencontainers.image.source":   project,
		"org.opencontainers.image.version":  r.version,
		"org.opencontainers.image.revision": r.revision,
		"org.opencontainers.image.created":  r.created.Format(time.RFC3339),
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
}

func (r recipe) image(platform string) (v1.Image, error) {
	layers := [][]file{r.base()}
	for _, name := range programs() {
		data, err := os.ReadFile(filepath.Join(r.programs[platform], name))
		if err != nil {
			return nil, err
		}
		layers = append(layers, []file{{name, 0o755, data}})
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, files := range layers {
		layer, err := r.layer(files)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
			Created: v1.Time{Time: r.created}, CreatedBy: "hack/tools/image: " + files[len(files)-1].name,
		}})
		if err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, _ = strings.Cut(platform, "/")
	config.Created = v1.Time{Time: r.created}
	config.Config.User = user
	config.Config.WorkingDir = "/"
	config.Config.Labels = r.labels()
	return mutate.ConfigFile(image, config)
}

// base is what programs expect of a machine. The zones of institutions are in the programs themselves.
func (r recipe) base() []file {
	return []file{
		{"etc/", 0o755, nil},
		{"etc/group", 0o644, []byte("root:x:0:\nnonroot:x:65532:\n")},
		{"etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{authoritiesPem, 0o644, authorities()},
		{"licenses/", 0o755, nil},
		{"licenses/LICENSE", 0o644, r.licence},
		{"tmp/", 0o1777, nil},
	}
}

// authorities are those that Mozilla trusts, without those that it trusts only in part, as PEM cannot say that.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writing to memory does not fail.
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return out.Bytes()
}

func (r recipe) layer(files []file) (v1.Layer, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: r.created,
			Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if f.data == nil && path.Clean(f.name)+"/" == f.name {
			header.Typeflag = tar.TypeDir
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithCompressedCaching)
}
