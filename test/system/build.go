// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package system installs the operator into a control plane and runs both programs against it, as processes that hold
// the token of their own ServiceAccount and so exactly the rights that config/rbac gives them. `make run`, `make demo`
// and the end-to-end tests all start it this way.
package system

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// The programs.
const (
	WebhookServer     = "webhook-server"
	ControllerManager = "controller-manager"
	// Plugin is `kubectl course`.
	Plugin = "kubectl-course"
)

// Build builds both programs from this checkout into a folder, with build tags if there are any. What the compiler says
// goes to output. The flags are those of go test, and not those of the programs that ship, with which every package of
// every module would have to be compiled once more.
func Build(ctx context.Context, dir string, output io.Writer, tags ...string) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	return BuildFrom(ctx, root, dir, output, tags...)
}

// BuildFrom is Build of another checkout.
func BuildFrom(ctx context.Context, root, dir string, output io.Writer, tags ...string) error {
	return build(ctx, root, dir, output, tags, WebhookServer, ControllerManager)
}

// BuildPlugin builds `kubectl course` into a folder, which has to be in the PATH of kubectl, and returns the program.
func BuildPlugin(ctx context.Context, dir string, output io.Writer) (string, error) {
	return filepath.Join(dir, Plugin), buildWithPlugin(ctx, dir, output, Plugin)
}

// BuildAll is Build and BuildPlugin by one go command, which links one program while it compiles others.
func BuildAll(ctx context.Context, dir string, output io.Writer) error {
	return buildWithPlugin(ctx, dir, output, WebhookServer, ControllerManager, Plugin)
}

func buildWithPlugin(ctx context.Context, dir string, output io.Writer, names ...string) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := build(ctx, root, dir, output, nil, names...); err != nil {
		return err
	}
	// With this beside the plugin, kubectl completes its commands in a shell.
	const complete = "kubectl_complete-course"
	script, err := os.ReadFile(filepath.Join(root, "cmd", Plugin, complete))
	if err != nil {
		return fmt.Errorf("reading the completion of the plugin: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, complete), script, 0o755); err != nil {
		return fmt.Errorf("writing the completion of the plugin: %w", err)
	}
	return nil
}

func build(ctx context.Context, root, dir string, output io.Writer, tags []string, names ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the programs: %w", err)
	}
	// Without debug information, a link takes little more than half the time.
	compile := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(tags, ","), "-ldflags=-w",
		"-o", dir+string(filepath.Separator))
	for _, name := range names {
		compile.Args = append(compile.Args, "./cmd/"+name)
	}
	compile.Dir = root
	// Compilers and linkers end within seconds: collecting garbage would be up to a third of their CPU time.
	compile.Env = append(os.Environ(), "GOWORK=off", "GOGC=off", "GOMEMLIMIT=2GiB")
	compile.Stdout, compile.Stderr = output, output
	if err := compile.Run(); err != nil {
		return fmt.Errorf("building %s: %w", strings.Join(names, ", "), err)
	}
	return nil
}
