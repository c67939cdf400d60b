// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const configurationFlag = "--config="

// configuration returns the arguments with which the controller-manager reads the configuration of a checkout. Versions
// that have none do not know the flag.
func configuration(root string) []string {
	path := filepath.Join(root, "config", "manager", "configuration.yaml")
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	return []string{configurationFlag + path}
}

// Replace has each program be that of another version from its next start on: the executables of a folder, and the
// configuration of a checkout. Addresses, credentials and inboxes stay.
func (s *System) Replace(root, bin string) {
	for _, program := range s.Programs() {
		program.path = filepath.Join(bin, filepath.Base(program.path))
	}
	s.ControllerManager.args = slices.DeleteFunc(s.ControllerManager.args, func(argument string) bool {
		return strings.HasPrefix(argument, configurationFlag)
	})
	s.ControllerManager.args = append(s.ControllerManager.args, configuration(root)...)
}
