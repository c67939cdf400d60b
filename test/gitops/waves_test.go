// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Argo CD begins a sync wave once everything of the one before is Healthy. What may wait for a person must have none
// after it, or a sync would wait as well.
func TestNoWaveWaitsForAPerson(t *testing.T) {
	files, err := filepath.Glob(examples + "/repository/institutions/institution-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no institutions: %v", err)
	}
	waves, last := map[string]int{}, 0
	for _, file := range files {
		for document := range strings.SplitSeq(text(t, file), "\n---\n") {
			o := parse(t, document)
			if empty, ours := kinds[o.GetKind()]; ours {
				if err := yaml.UnmarshalStrict([]byte(document), empty()); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
			wave := 0
			if set, ok := o.GetAnnotations()["argocd.argoproj.io/sync-wave"]; ok {
				if wave, err = strconv.Atoi(set); err != nil {
					t.Fatal(err)
				}
			}
			waves[o.GetKind()+" "+o.GetName()], last = wave, max(last, wave)
		}
	}
	for name, wave := range waves {
		kind, _, _ := strings.Cut(name, " ")
		if _, ours := kinds[kind]; ours && wave != last {
			t.Errorf("%s is in wave %d, and %d is the last one", name, wave, last)
		}
		if kind == "Namespace" && wave >= last {
			t.Errorf("%s is in wave %d, want it before everything else", name, wave)
		}
	}
	if len(waves) < 5 {
		t.Errorf("found %d objects", len(waves))
	}
}
