// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want target
	}{
		"a number":         {[]string{"987654321"}, target{kindUser, "987654321"}},
		"user/ID":          {[]string{"user/5"}, target{kindUser, "5"}},
		"KIND/NAME":        {[]string{"grant/grad-lab.12345-5"}, target{kindGrant, "grad-lab.12345-5"}},
		"KIND NAME":        {[]string{"ns", "grad-5"}, target{kindNamespace, "grad-5"}},
		"as kubectl names": {[]string{"coursecompletions/1-2-3-4"}, target{kindCompletion, "1-2-3-4"}},
		"in any case":      {[]string{"Seat/tutors-0"}, target{kindSeat, "tutors-0"}},
		"no number":        {args: []string{"ana"}},
		"0":                {args: []string{"0"}},
		"another kind":     {args: []string{"pod/x"}},
		"no name":          {args: []string{"grant/"}},
		"too much":         {args: []string{"grant/a/b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseTarget(tc.args)
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if wrong := tc.want == (target{}); wrong != cmdutil.IsUsage(err) {
				t.Errorf("got the error %v", err)
			}
		})
	}
}

func TestConditionString(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]condition{
		"requires a == 1, but a is 2, b is \"x\"": {
			Expression: "a == 1", Saw: []seen{{Field: "a", Value: "2"}, {Field: "b", Value: `"x"`}}},
		"requires false, which is false": {Expression: "false"},
		"requires a[9] == 1, which cannot be evaluated: index out of range": {
			Expression: "a[9] == 1", Error: "index out of range"},
		"requires a == …, but a is personal data, see --show-personal-data": {
			Expression: "a == …", Saw: []seen{{Field: "a", Hidden: true}}},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for want, ids := range map[string][]v1alpha1.PlatformID{
		"1": {1}, "1 or 2": {1, 2}, "1, 2 or 3": {1, 2, 3}, "1, 2, 3, 4, 5, 6 or 2 more": {1, 2, 3, 4, 5, 6, 7, 8},
	} {
		if diff := cmp.Diff(want, list(ids, "or")); diff != "" {
			t.Error(diff)
		}
	}
}

// How much of a Grant somebody has is told by where it stands and what is in place.
func TestAccessOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	grant := func(phase v1alpha1.GrantPhase, edit ...func(*v1alpha1.Grant)) *v1alpha1.Grant {
		g := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{Policy: "p", Namespaces: []v1alpha1.GrantedNamespace{{Name: "n"}}},
			Status: v1alpha1.GrantStatus{Phase: phase}}
		for _, e := range edit {
			e(g)
		}
		return g
	}
	inPlace := func(g *v1alpha1.Grant) {
		g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "n"}}
	}
	ended := func(g *v1alpha1.Grant) {
		g.Spec.AccessEndsAt = new(metav1.NewTime(now.Add(-time.Hour)))
		g.Spec.EndKnownAt = new(metav1.NewMicroTime(now.Add(-48 * time.Hour)))
	}
	heldBack := func(g *v1alpha1.Grant) { g.Spec.EndKnownAt = new(metav1.NewMicroTime(now)) }
	for name, tc := range map[string]struct {
		grant *v1alpha1.Grant
		want  access
	}{
		"in place":                     {grant(v1alpha1.GrantActive, inPlace), accessAll},
		"nothing in place yet":         {grant(v1alpha1.GrantPending), accessNone},
		"a part in place":              {grant(v1alpha1.GrantWaiting, inPlace), accessPart},
		"ended, and data left":         {grant(v1alpha1.GrantEnded, inPlace, ended), accessNone},
		"ended, and still called so":   {grant(v1alpha1.GrantActive, inPlace, ended), accessNone},
		"its end is held back":         {grant(v1alpha1.GrantPending, inPlace, ended, heldBack), accessAll},
		"of a suspended institution":   {grant(v1alpha1.GrantSuspended, inPlace), accessAll},
		"suspended before it was made": {grant(v1alpha1.GrantSuspended), accessNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := accessOf(tc.grant, lifecycle.Foresee(tc.grant, now)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
