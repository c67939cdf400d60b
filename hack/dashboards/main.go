// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command dashboards writes the dashboards of config/components/grafana. `make dashboards` runs it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name the folder to write to, and nothing else")
	}
	for name, builder := range map[string]*dashboard.DashboardBuilder{
		"operations": operations(), "institutions": institutions(),
	} {
		built, err := builder.Build()
		if err != nil {
			return fmt.Errorf("the dashboard %s: %w", name, err)
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(built); err != nil {
			return fmt.Errorf("the dashboard %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(args[0], name+".json"), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
