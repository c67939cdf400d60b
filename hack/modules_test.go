// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestModulesHaveTheVersionsOfTheControlPlane: of two versions of a module, both are compiled at the first start, and
// so is everything that imports them.
func TestModulesHaveTheVersionsOfTheControlPlane(t *testing.T) {
	t.Parallel()
	plane := versions(t, "hack/controlplane")
	for folder, least := range map[string]int{".": 50, "test/upgrade/etcdtools": 30} {
		same := 0
		for module, version := range versions(t, folder) {
			switch other, found := plane[module]; {
			case !found:
			case other == version:
				same++
			default:
				t.Errorf("%s is at %s in %s/go.mod and at %s in hack/controlplane/go.mod: in the folder of the older one, "+
					"run go get with the newer version, and go mod tidy", module, version, folder, other)
			}
		}
		if same < least {
			t.Errorf("%s/go.mod has %d modules of the control plane, want at least %d", folder, same, least)
		}
	}
}

// versions returns what a go.mod requires, after its replacements.
func versions(t *testing.T, folder string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]string{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		switch {
		// Replacements are below the requirements.
		case len(fields) == 4 && fields[1] == "=>":
			required[fields[0]] = fields[3]
		case len(fields) >= 2 && strings.HasPrefix(fields[1], "v"):
			required[fields[0]] = fields[1]
		}
	}
	return required
}
