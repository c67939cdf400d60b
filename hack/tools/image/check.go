// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const (
	// maxSize is where an image is too large, unpacked or to be pulled, in bytes.
	maxSize = 100_000_000
	// patience is how long a program may take to say its version, on a machine that is busy.
	patience = 2 * time.Minute
)

// imagesOf returns the image of each platform.
func imagesOf(outer v1.ImageIndex) (map[string]v1.Image, error) {
	manifest, err := outer.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 || !manifest.Manifests[0].MediaType.IsIndex() {
		return nil, errors.New("the layout has to have one image, for all platforms")
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	if manifest, err = index.IndexManifest(); err != nil {
		return nil, err
	}
	images := map[string]v1.Image{}
	for _, descriptor := range manifest.Manifests {
		if images[descriptor.Platform.String()], err = index.Image(descriptor.Digest); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// check looks whether an image is what config/ expects: two programs for a user who is not root, and nothing else that
// could be run. With run, the programs are started from what the image unpacks to.
func check(image v1.Image, platform, version string, run bool) error {
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	if config.Config.User != user {
		return fmt.Errorf("it runs as %q and not as %s", config.Config.User, user)
	}
	if got := config.OS + "/" + config.Architecture; got != platform {
		return fmt.Errorf("its configuration is for %s", got)
	}
	pulled, err := pulledSize(image)
	if err != nil {
		return err
	}
	if pulled >= maxSize {
		return fmt.Errorf("it has %d bytes to pull, and less than %d are wanted", pulled, maxSize)
	}
	root, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	// Another user has to get at what is unpacked.
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	unpacked, err := unpack(image, root, config.Created.Time)
	if err != nil {
		return err
	}
	if unpacked >= maxSize {
		return fmt.Errorf("it unpacks to %d bytes, and less than %d are wanted", unpacked, maxSize)
	}
	fmt.Printf("%s: %.1f MB to pull, %.1f MB unpacked, user %s\n", platform, mega(pulled), mega(unpacked), user)
	if !run {
		return nil
	}
	for _, program := range programs() {
		said, err := start(root, program)
		if err != nil {
			return fmt.Errorf("%s --version: %w: %s", program, err, said)
		}
		if want := program + " " + version; strings.TrimSpace(said) != want {
			return fmt.Errorf("%s --version says %q and not %q", program, said, want)
		}
		fmt.Printf("%s: %s", platform, said)
	}
	return nil
}

func mega(size int64) float64 { return float64(size) / 1e6 }

func pulledSize(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}

// unpack writes the files of an image below a folder and returns their size. A file that is not on the list is an
// error: so nobody has to say what a shell or a package manager is called. All are of the time when the image was made,
// which is that of the commit.
func unpack(image v1.Image, root string, created time.Time) (size int64, err error) {
	content := mutate.Extract(image)
	defer content.Close()
	expected := []string{"etc/group", "etc/passwd", authoritiesPem, "licenses/LICENSE"}
	expected = append(expected, programs()...)
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if !header.ModTime.Equal(created) {
			return 0, fmt.Errorf("%s is of %s, and the image of %s", header.Name, header.ModTime, created)
		}
		target := filepath.Join(root, filepath.FromSlash(header.Name))
		mode := header.FileInfo().Mode().Perm()
		if header.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return 0, err
			}
			continue
		}
		at := slices.Index(expected, header.Name)
		if at < 0 || header.Typeflag != tar.TypeReg {
			return 0, fmt.Errorf("it has %s, which does not belong there", header.Name)
		}
		expected = slices.Delete(expected, at, at+1)
		if runs := slices.Contains(programs(), header.Name); runs != (mode&0o111 != 0) || mode&0o022 != 0 ||
			header.Uid != 0 {
			return 0, fmt.Errorf("%s has the mode %o and the owner %d", header.Name, mode, header.Uid)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return 0, err
		}
		if header.Name == authoritiesPem && bytes.Count(data, []byte("BEGIN CERTIFICATE")) < 50 {
			return 0, fmt.Errorf("%s has hardly any certificates", header.Name)
		}
		if err := os.WriteFile(target, data, mode); err != nil {
			return 0, err
		}
		size += int64(len(data))
	}
	if len(expected) > 0 {
		return 0, fmt.Errorf("it lacks %s", strings.Join(expected, ", "))
	}
	return size, nil
}

// start asks a program of an unpacked image for its version: as the user of the image, and with nothing but the image
// around it, where this process may do that (on Linux, as root).
func start(root, program string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, program), "--version")
	cmd.Dir, cmd.Env = root, []string{}
	confine(cmd, root)
	said, err := cmd.CombinedOutput()
	return string(said), err
}
