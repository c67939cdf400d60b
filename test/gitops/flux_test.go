// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// fluxKustomization is what a Kustomization of Flux says about health.
type fluxKustomization struct {
	Metadata struct{ Name string }
	Spec     struct {
		DependsOn        []struct{ Name string }
		Wait             bool
		HealthCheckExprs []kustomize.CustomHealthCheck
		HealthChecks     []struct{ APIVersion, Kind, Name, Namespace string }
	}
}

func fluxKustomizations(t *testing.T) map[string]fluxKustomization {
	t.Helper()
	files, err := filepath.Glob(examples + "/flux/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]fluxKustomization{}
	for _, file := range files {
		var kind struct{ Kind, APIVersion string }
		if err := yaml.Unmarshal([]byte(text(t, file)), &kind); err != nil {
			t.Fatal(err)
		}
		if kind.APIVersion != "kustomize.toolkit.fluxcd.io/v1" {
			continue
		}
		var k fluxKustomization
		if err := yaml.Unmarshal([]byte(text(t, file)), &k); err != nil {
			t.Fatal(err)
		}
		found[k.Metadata.Name] = k
	}
	return found
}

// TestFluxHealthCheckExpressions has Flux's own evaluator judge Grants in every state. What waits for a person, or for
// a seat, does not keep a sync waiting; everything else is as kstatus has it.
func TestFluxHealthCheckExpressions(t *testing.T) {
	applied := []string{"awaitingApproval", "suspended", "revocationPaused", "waitingForSeat"}
	expressions := fluxKustomizations(t)["completion-institutions"].Spec.HealthCheckExprs
	if len(expressions) != 1 || expressions[0].Kind != "Grant" {
		t.Fatalf("the expressions are about %v, want Grants", expressions)
	}
	evaluator, err := cel.NewStatusEvaluator(&expressions[0].HealthCheckExpressions)
	if err != nil {
		t.Fatal(err)
	}
	kstatus := map[string]string{}
	readYAML(t, "testdata/kstatus.yaml", &kstatus)
	for state, o := range states(t, "Grant") {
		got, err := evaluator.Evaluate(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		want := status.Status(kstatus["Grant/"+state])
		switch {
		case slices.Contains(applied, state):
			want = status.CurrentStatus
		case want == status.TerminatingStatus:
			continue // it is deleted by then
		}
		if got.Status != want {
			t.Errorf("%s is %s, want %s", state, got.Status, want)
		}
	}
}

// TestFluxOrder: the kinds come before the programs, and the programs before the institutions.
func TestFluxOrder(t *testing.T) {
	got := map[string][]string{}
	for name, k := range fluxKustomizations(t) {
		got[name] = []string{}
		for _, on := range k.Spec.DependsOn {
			got[name] = append(got[name], on.Name)
		}
	}
	want := map[string][]string{
		"completion-crds": {}, "completion-operator": {"completion-crds"},
		"completion-institutions": {"completion-operator"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
