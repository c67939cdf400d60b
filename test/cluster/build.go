// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const productModule = "module github.com/lxp-dev/course-completion-operator\n"

// Build has hack/controlplane build what is missing, and returns the folder of the programs, for Options.
func Build(ctx context.Context, stderr io.Writer) (string, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "-C", filepath.Join(root, "hack", "controlplane"), ".", "build",
		"--until-stdin-ends")
	// Set, not emptied: an empty GOFLAGS would let the value of `go env -w` through.
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	// Ctrl-C is for this process to handle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	// Never written to: its end is the end of this process, however it ends, and that of the build.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	defer stdin.Close()
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the control plane: %w", errors.Join(ctx.Err(), err))
	}
	return strings.TrimSpace(stdout.String()), nil
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
