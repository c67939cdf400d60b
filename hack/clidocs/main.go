// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The program clidocs writes docs/cli from the commands of the plugin: one page for each.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/lxp-dev/course-completion-operator/internal/cli"
)

func main() {
	dir := flag.String("output-path", filepath.Join("docs", "cli"), "the folder to write to; what is in it is replaced")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintf(os.Stderr, "clidocs: %v\n", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the former pages: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	root := cli.NewCommand(genericiooptions.NewTestIOStreamsDiscard())
	for _, sub := range root.Commands() {
		if sub.Name() == "options" {
			root.RemoveCommand(sub)
		}
	}
	prepare(root)
	return doc.GenMarkdownTree(root, dir)
}

// prepare leaves out what depends on the machine, and what every page would repeat: the flags by which kubectl finds a
// cluster, which `kubectl options` explains.
func prepare(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	cmd.Long = unindented(cmd.Long)
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}

// unindented takes away what the terminal needs and Markdown reads as code.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "  ") {
			lines[i] = line[1:]
		}
	}
	return strings.Join(lines, "\n")
}
