// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package hack_test tests the Makefile, and that modules fit together.
package hack_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMakefileInAFolderWithASpace: what make would run names the folder in quotes, or not at all.
func TestMakefileInAFolderWithASpace(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a folder")
	for _, file := range []string{
		"Makefile", "hack/release/release.mk", "hack/tools/go.mod", "hack/tools/go.sum", "hack/tools/golangci-lint/main.go",
	} {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.CommandContext(t.Context(), "make", "--dry-run", "VERSION=v0.0.0", "EPOCH=0", "ROOTS=",
		"run", "demo", "build", "generate", "dashboards", "lint", "verify", "test", "test-slow", "deploy", "release-check",
		"release-image")
	run.Dir = folder
	// What a make that runs this test says is about that one.
	run.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	var output, problems bytes.Buffer
	run.Stdout, run.Stderr = &output, &problems
	if err := run.Run(); err != nil || problems.Len() > 0 {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	unquoted := regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`).ReplaceAllString(output.String(), "")
	for line := range strings.Lines(unquoted) {
		if strings.Contains(line, filepath.Dir(folder)) {
			t.Errorf("the shell takes the folder for two words: %s", line)
		}
	}
}
