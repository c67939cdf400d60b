// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// health is what Argo CD shows of an object.
type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// healthOf has the script of a kind judge an object.
func healthOf(t *testing.T, kind string, o *unstructured.Unstructured) health {
	t.Helper()
	result, err := run(text(t, filepath.Join(customizations, kind, "health.lua")), o.Object, nil)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	fields, ok := result.(map[string]any)
	if !ok {
		t.Fatalf("%s: the script returns %v", kind, result)
	}
	status, _ := fields["status"].(string)
	message, _ := fields["message"].(string)
	return health{status, message}
}

// TestHealth runs health_test.yaml of each kind, as the tests of Argo CD do.
func TestHealth(t *testing.T) {
	for _, kind := range sortedKinds() {
		var cases struct {
			Tests []struct {
				HealthStatus health `json:"healthStatus"`
				InputPath    string `json:"inputPath"`
			} `json:"tests"`
		}
		folder := filepath.Join(customizations, kind)
		readYAML(t, filepath.Join(folder, "health_test.yaml"), &cases)
		tested := map[string]bool{}
		for _, tc := range cases.Tests {
			tested[tc.InputPath] = true
			got := healthOf(t, kind, object(t, kind, filepath.Join(folder, tc.InputPath)))
			if diff := cmp.Diff(tc.HealthStatus, got); diff != "" {
				t.Errorf("%s/%s (-want +got):\n%s", kind, tc.InputPath, diff)
			}
		}
		for state := range states(t, kind) {
			if !tested["testdata/"+state+".yaml"] {
				t.Errorf("%s: nobody tests the health in the state %s", kind, state)
			}
		}
	}
}

// What was applied a moment ago, or is not complete, is no error in a script.
func TestHealthOfWhatIsNotComplete(t *testing.T) {
	for _, kind := range sortedKinds() {
		for _, status := range []string{"", "status: {}", "status: {observedGeneration: 1}",
			"status: {observedGeneration: 1, conditions: []}"} {
			o := parse(t, "apiVersion: completions.lxp.dev/v1alpha1\nkind: "+kind+
				"\nmetadata: {name: x, generation: 1}\nspec: {}\n"+status)
			if got := healthOf(t, kind, o); got.Status != "Progressing" {
				t.Errorf("%s with %q is %v", kind, status, got)
			}
		}
	}
}

type action struct {
	Name     string `json:"name"`
	Disabled bool   `json:"disabled"`
}

// actionCases is action_test.yaml.
type actionCases struct {
	DiscoveryTests []struct {
		InputPath string   `json:"inputPath"`
		Result    []action `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string            `json:"action"`
		InputPath          string            `json:"inputPath"`
		ExpectedOutputPath string            `json:"expectedOutputPath"`
		Parameters         map[string]string `json:"parameters"`
	} `json:"actionTests"`
}

// TestActions runs action_test.yaml of each kind, as the tests of Argo CD do.
func TestActions(t *testing.T) {
	want := map[string][]string{
		"Institution":      {"release-brake", "resume", "suspend"},
		"CompletionPolicy": {"resume", "suspend"},
		"Grant":            {"approve"},
	}
	for kind, actions := range want {
		folder := filepath.Join(customizations, kind, "actions")
		var cases actionCases
		readYAML(t, filepath.Join(folder, "action_test.yaml"), &cases)
		for _, tc := range cases.DiscoveryTests {
			result, err := run(text(t, filepath.Join(folder, "discovery.lua")),
				object(t, kind, filepath.Join(folder, tc.InputPath)).Object, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []action
			for name, properties := range result.(map[string]any) {
				disabled, _ := properties.(map[string]any)["disabled"].(bool)
				got = append(got, action{name, disabled})
			}
			byName := func(a, b action) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(got, byName)
			slices.SortFunc(tc.Result, byName)
			if diff := cmp.Diff(tc.Result, got); diff != "" {
				t.Errorf("%s/%s (-want +got):\n%s", kind, tc.InputPath, diff)
			}
		}
		var tested []string
		for _, tc := range cases.ActionTests {
			tested = append(tested, tc.Action)
			given := map[string]any{}
			for name, value := range tc.Parameters {
				given[name] = value
			}
			got, err := run(text(t, filepath.Join(folder, tc.Action, "action.lua")),
				object(t, kind, filepath.Join(folder, tc.InputPath)).Object, given)
			if err != nil {
				t.Fatal(err)
			}
			output := object(t, kind, filepath.Join(folder, tc.ExpectedOutputPath)).Object
			if diff := cmp.Diff(any(output), got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", kind, tc.Action, diff)
			}
		}
		slices.Sort(tested)
		if diff := cmp.Diff(actions, tested); diff != "" {
			t.Errorf("%s: the actions (-want +got):\n%s", kind, diff)
		}
	}
}

// An action that would make an object the API server refuses, or one that releases nothing, says why it does nothing.
func TestActionsThatSayNo(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, action, input string
		parameters          map[string]any
		want                string
	}{
		"no reason":   {"Grant", "approve", "awaits", map[string]any{"reason": ""}, "say why"},
		"no reason 2": {"Grant", "approve", "awaits", nil, "say why"},
		"approved":    {"Grant", "approve", "approved", map[string]any{"reason": "again"}, "there is an exception already"},
		"no trip":     {"Institution", "release-brake", "running", nil, "no revocations are paused"},
	} {
		folder := filepath.Join(customizations, tc.kind, "actions")
		parameters := tc.parameters
		if parameters == nil {
			parameters = map[string]any{}
		}
		_, err := run(text(t, filepath.Join(folder, tc.action, "action.lua")),
			object(t, tc.kind, filepath.Join(folder, "testdata", tc.input+".yaml")).Object, parameters)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
	}
}

// argocdCM is the ConfigMap with which an Argo CD that has not the scripts built in gets them.
const argocdCM = examples + "/argocd/argocd-cm.yaml"

// customizationsInOne returns what argocd-cm has of the scripts.
func customizationsInOne(t *testing.T) map[string]string {
	t.Helper()
	data := map[string]string{}
	for _, kind := range sortedKinds() {
		folder := filepath.Join(customizations, kind)
		name := "completions.lxp.dev_" + kind
		data["resource.customizations.health."+name] = text(t, filepath.Join(folder, "health.lua"))
		discovery := filepath.Join(folder, "actions", "discovery.lua")
		if _, err := os.Stat(discovery); err != nil {
			continue
		}
		type definition struct {
			Name      string `json:"name"`
			ActionLua string `json:"action.lua"`
		}
		all := struct {
			DiscoveryLua string       `json:"discovery.lua"`
			Definitions  []definition `json:"definitions"`
		}{DiscoveryLua: text(t, discovery)}
		scripts, err := filepath.Glob(filepath.Join(folder, "actions", "*", "action.lua"))
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range scripts {
			all.Definitions = append(all.Definitions, definition{filepath.Base(filepath.Dir(script)), text(t, script)})
		}
		encoded, err := yaml.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		data["resource.customizations.actions."+name] = string(encoded)
	}
	return data
}

// TestArgoCDConfigMap makes sure that the ConfigMap has the scripts as they are; UPDATE_GOLDEN=1 writes it.
func TestArgoCDConfigMap(t *testing.T) {
	var kept struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Metadata   map[string]any    `json:"metadata"`
		Data       map[string]string `json:"data"`
	}
	const head = "# A patch for the ConfigMap argocd-cm. The scripts are those of resource_customizations:\n" +
		"# UPDATE_GOLDEN=1 go test -C test/gitops -run TestArgoCDConfigMap writes them anew.\n"
	want := customizationsInOne(t)
	want["resource.exclusions"] = exclusions
	if os.Getenv("UPDATE_GOLDEN") != "" {
		kept.APIVersion, kept.Kind, kept.Data = "v1", "ConfigMap", want
		kept.Metadata = map[string]any{"name": "argocd-cm", "namespace": "argocd"}
		encoded, err := yaml.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(argocdCM, []byte(head+string(encoded)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	readYAML(t, argocdCM, &kept)
	if diff := cmp.Diff(want, kept.Data); diff != "" {
		t.Errorf("argocd-cm.yaml is stale, write it with UPDATE_GOLDEN=1 (-want +got):\n%s", diff)
	}
}

// exclusions keep what the operator writes, personal data among it, out of Argo CD's cache.
const exclusions = `- apiGroups: [completions.lxp.dev]
  kinds: [CourseCompletion, Seat, ErasureRegister]
  clusters: ["*"]
`
