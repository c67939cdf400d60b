// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// golden is one case in testdata: what a person completed and has, and what the policies say.
type golden struct {
	Story       string                      `json:"story"`
	Now         metav1.Time                 `json:"now"`
	Prefix      string                      `json:"prefix"`
	Zone        string                      `json:"zone"`
	Privacy     v1alpha1.PrivacySpec        `json:"privacy"`
	Policies    []v1alpha1.CompletionPolicy `json:"policies"`
	Completions []v1alpha1.CourseCompletion `json:"completions"`
	Grants      []v1alpha1.Grant            `json:"grants"`
	Gone        []string                    `json:"gone"`
}

// plannedGrant and result are the plan as the golden files show it.
type plannedGrant struct {
	Name    string             `json:"name"`
	Changed bool               `json:"changed"`
	Spec    v1alpha1.GrantSpec `json:"spec"`
}

type result struct {
	Grants      []plannedGrant   `json:"grants"`
	Completions []CompletionPlan `json:"completions"`
}

var testLimits = policies.Limits{
	PodSecurityCap:        v1alpha1.PodSecurityRestricted,
	NamespaceLabelDomains: []string{"example.edu"},
	ObjectKinds: []schema.GroupKind{{Group: "example.org", Kind: "Badge"}, {Group: "example.org", Kind: "ConfigMap"},
		{Kind: "PersistentVolume"}},
}

func (g *golden) person(t testing.TB) Person {
	t.Helper()
	zone, err := time.LoadLocation(g.Zone)
	if err != nil {
		t.Fatalf("load the zone: %v", err)
	}
	person := Person{
		Holder: v1alpha1.GrantHolder{InstitutionID: 12345, UserID: 987654321},
		Prefix: g.Prefix, Zone: zone, Now: g.Now.Time, Grants: g.Grants, Gone: map[string]bool{},
	}
	for _, completion := range g.Completions {
		completion.Name = completion.Spec.Name()
		person.Completions = append(person.Completions, completion)
	}
	for i := range g.Policies {
		person.Policies = append(person.Policies, policies.Compile(&g.Policies[i], g.Privacy, testLimits))
	}
	for _, name := range g.Gone {
		person.Gone[name] = true
	}
	return person
}

func resultOf(plan Plan) result {
	r := result{Completions: plan.Completions}
	for i := range plan.Grants {
		planned := &plan.Grants[i]
		r.Grants = append(r.Grants, plannedGrant{planned.Name, planned.Changed(), planned.Spec})
	}
	return r
}

// TestGolden plans every case in testdata and compares with the recorded plan. With UPDATE_GOLDEN=1 it records anew:
// read the difference before you commit it.
func TestGolden(t *testing.T) {
	t.Parallel()
	inputs, err := filepath.Glob("testdata/*.input.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			tc := golden{}
			if err := yaml.UnmarshalStrict(text, &tc); err != nil {
				t.Fatalf("read the case: %v", err)
			}
			got, err := yaml.Marshal(resultOf(For(tc.person(t))))
			if err != nil {
				t.Fatal(err)
			}
			recorded := input[:len(input)-len("input.yaml")] + "plan.yaml"
			if os.Getenv("UPDATE_GOLDEN") == "1" {
				if err := os.WriteFile(recorded, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(recorded)
			if err != nil {
				t.Fatalf("%v: record it with UPDATE_GOLDEN=1", err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the plan differs (-want +got):\n%s", diff)
			}
			again := tc.person(t)
			again.Grants = adopt(For(tc.person(t)))
			for _, planned := range For(again).Grants {
				if planned.Changed() {
					t.Errorf("planning again changes grant %s:\n%s", planned.Name,
						cmp.Diff(planned.Existing.Spec, planned.Spec))
				}
			}
		})
	}
}

// adopt returns the Grants as the API server would hold them once the plan is written.
func adopt(plan Plan) []v1alpha1.Grant {
	var grants []v1alpha1.Grant
	for _, planned := range plan.Grants {
		grant := v1alpha1.Grant{}
		if planned.Existing != nil {
			grant = *planned.Existing.DeepCopy()
		}
		override := grant.Spec.Override
		grant.Name, grant.Spec = planned.Name, *planned.Spec.DeepCopy()
		grant.Spec.Override = override
		grants = append(grants, grant)
	}
	return grants
}

// The API server may write the same JSON in another way than the planner.
func TestStoredObjectsAreComparedByContent(t *testing.T) {
	t.Parallel()
	grant := func(text string) v1alpha1.GrantSpec {
		object := runtime.RawExtension{Raw: []byte(text)}
		return v1alpha1.GrantSpec{Objects: []v1alpha1.GrantedObject{{Name: "a", Object: object}}}
	}
	stored := &v1alpha1.Grant{Spec: grant("{ \"b\": \"<\", \"a\": 1.0 }")}
	for text, want := range map[string]bool{
		`{"a":1,"b":"\u003c"}`: false, `{"a":2,"b":"\u003c"}`: true, `{"a":1}`: true,
	} {
		planned := &Planned{Spec: grant(text), Existing: stored}
		if got := planned.Changed(); got != want {
			t.Errorf("changed to %s: %t, want %t", text, got, want)
		}
	}
}
