// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package modules gets other projects as Go modules, of which tests read files or build programs. They are required by
// no go.mod, which keeps their dependencies out.
package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Module is one version of a project, with the checksum that go.sum would have.
type Module struct{ Path, Version, Sum string }

// Download returns the folder of the module in Go's module cache, and downloads what is not there.
func (m Module) Download(ctx context.Context) (string, error) {
	// Outside of every module, no go.mod and no go.sum is written.
	outside, err := os.MkdirTemp("", "module-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(outside)
	name := m.Path + "@" + m.Version
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", name)
	download.Dir = outside
	download.Env = append(os.Environ(), "GOWORK=off")
	output, err := download.Output()
	var got struct{ Dir, Sum, Error string }
	if decodeErr := json.Unmarshal(output, &got); decodeErr != nil {
		return "", fmt.Errorf("downloading %s: %w", name, errors.Join(err, decodeErr))
	}
	switch {
	case got.Error != "":
		return "", fmt.Errorf("downloading %s: %s", name, got.Error)
	case err != nil:
		return "", fmt.Errorf("downloading %s: %w", name, err)
	case got.Sum != m.Sum:
		return "", fmt.Errorf("%s has the checksum %s, want %s", name, got.Sum, m.Sum)
	}
	return got.Dir, nil
}

// Files returns files of the module by patterns, of which each has to match something.
func (m Module) Files(ctx context.Context, patterns ...string) ([]string, error) {
	folder, err := m.Download(ctx)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, pattern := range patterns {
		matching, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(pattern)))
		if err == nil && len(matching) == 0 {
			err = fmt.Errorf("%s@%s has no %s", m.Path, m.Version, pattern)
		}
		if err != nil {
			return nil, err
		}
		files = append(files, matching...)
	}
	return files, nil
}
