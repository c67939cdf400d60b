// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
)

const productModule = "module github.com/lxp-dev/course-completion-operator\n"

// buildStarter returns the path of the program of hack/controlplane. It is built once per content and executed
// directly: `go run` would stand between it and our signals, and hide its process id.
func buildStarter(ctx context.Context, stderr io.Writer) (string, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "hack", "controlplane")
	key, err := contentHash(source)
	if err != nil {
		return "", fmt.Errorf("reading the source of the control plane's starter: %w", err)
	}
	cache := os.Getenv("CONTROLPLANE_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache folder, set CONTROLPLANE_CACHE: %w", err)
		}
		cache = filepath.Join(user, "course-completion-operator", "controlplane")
	}
	dir := filepath.Join(cache, "starter")
	path := filepath.Join(dir, "controlplane-"+key)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("creating the cache folder: %w", err)
	}
	// Built elsewhere and moved: whoever sees the file under its name sees all of it.
	temporary, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return "", fmt.Errorf("creating a folder to build in: %w", err)
	}
	defer os.RemoveAll(temporary)
	built := filepath.Join(temporary, "controlplane")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", built, ".")
	cmd.Dir = source
	// Set, not emptied: an empty GOFLAGS would let the value of `go env -w` through.
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "CGO_ENABLED=0",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the control plane's starter: %w", err)
	}
	if err := os.Rename(built, path); err != nil {
		return "", fmt.Errorf("moving the control plane's starter to its place: %w", err)
	}
	return path, nil
}

// RepositoryRoot finds the folder of the product's go.mod, upwards from the working folder.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.Contains(mod, []byte(productModule)) {
			return dir, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("looking for the repository: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working folder is not inside the repository of the operator")
		}
		dir = parent
	}
}

// contentHash covers the Go release, the sources (tests excepted) and the requirements of the starter.
func contentHash(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fmt.Errorf("no Go files in %s", dir)
	}
	tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return "", err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return slices.Contains(tests, file) })
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version())
	for _, file := range append(files, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum")) {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n", filepath.Base(file), len(content))
		hash.Write(content)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))[:16], nil
}
