/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
)

// Build builds both programs from this checkout into a folder, with build tags if there are any. What the compiler says
// goes to output. The flags are those of go test, and not those of the programs that ship, with which every package of
// every module would have to be compiled once more.
func Build(ctx context.Context, dir string, output io.Writer, tags ...string) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the programs: %w", err)
	}
	for _, name := range []string{WebhookServer, ControllerManager} {
		build := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(tags, ","),
			"-o", filepath.Join(dir, name), "./cmd/"+name)
		build.Dir = root
		build.Env = append(os.Environ(), "GOWORK=off")
		build.Stdout, build.Stderr = output, output
		if err := build.Run(); err != nil {
			return fmt.Errorf("building %s: %w", name, err)
		}
	}
	return nil
}
