// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// takingPolicy takes a seat and the namespace of an enrollment away, and grants nothing.
func revokingPolicy(edit ...func(*v1alpha1.CompletionPolicySpec)) *v1alpha1.CompletionPolicy {
	return namespacePolicy(append([]func(*v1alpha1.CompletionPolicySpec){func(s *v1alpha1.CompletionPolicySpec) {
		s.Namespaces = nil
		s.Revoke.Seats = []v1alpha1.RevokedSeat{{Pool: "lab"}}
		s.Revoke.Namespaces = []v1alpha1.RevokedNamespace{{Name: "lab-${enrollment.id}"}}
	}}, edit...)...)
}

func perUser(s *v1alpha1.CompletionPolicySpec) {
	s.GrantPer = v1alpha1.GrantPerUser
	s.Revoke.Namespaces = []v1alpha1.RevokedNamespace{{Name: "lab-${user.id}"}}
}

func enrollment(id v1alpha1.PlatformID) func(*v1alpha1.CourseCompletionSpec) {
	return func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.ID = id }
}

// showTakes shows what all the Grants take, in short.
func showRevocation(grants []v1alpha1.Grant) []string {
	var shown []string
	for i := range grants {
		revokes := &grants[i].Spec.Revokes
		if revokes.Completion == "" {
			continue
		}
		parts := []string{string(revokes.Completion), revokes.SendAt}
		for _, seat := range revokes.Seats {
			parts = append(parts, "seat "+string(seat.Pool))
		}
		for _, ns := range revokes.Namespaces {
			parts = append(parts, "namespace "+ns.Name)
		}
		shown = append(shown, strings.Join(parts, ", "))
	}
	return shown
}

func TestRevokes(t *testing.T) {
	t.Parallel()
	const (
		first, second   = "1-7-11-5", "1-7-12-5"
		monday, tuesday = "2024-01-08 10:00:00", "2024-01-09 10:00:00"
		all             = first + ", " + monday + ", seat lab, namespace lab-11"
		together        = ", seat lab, namespace lab-5"
	)
	edit := func(w *world, how func(*v1alpha1.CompletionPolicySpec)) { how(&w.policies["graduates"].Spec) }
	for name, tc := range map[string]struct {
		policy *v1alpha1.CompletionPolicy
		// first is the first delivery; that of monday where it is unset.
		first []func(*v1alpha1.CourseCompletionSpec)
		play  func(w *world)
		want  []string
	}{
		"a completion takes": {want: []string{all}},
		"an inactive enrollment takes": {
			first: []func(*v1alpha1.CourseCompletionSpec){inactive}, want: []string{all},
		},
		"an expired enrollment takes": {
			first: []func(*v1alpha1.CourseCompletionSpec){expires("2023-01-01")}, want: []string{all},
		},
		"another course takes nothing": {
			first: []func(*v1alpha1.CourseCompletionSpec){func(s *v1alpha1.CourseCompletionSpec) { s.Course.ID = 8 }},
		},
		"an end gives nothing back": {
			play: func(w *world) { w.deliver(delivered(tuesday, inactive)); w.plan() },
			want: []string{first + ", " + tuesday + ", seat lab, namespace lab-11"},
		},
		"a withdrawal gives back": {play: func(w *world) { clear(w.completions); w.plan() }},
		"a late repetition of what was withdrawn takes nothing": {
			play: func(w *world) { clear(w.completions); w.plan(); w.deliver(delivered(monday)); w.plan() },
		},
		"a newer delivery than what was withdrawn takes": {
			play: func(w *world) { clear(w.completions); w.plan(); w.deliver(delivered(tuesday)); w.plan() },
			want: []string{first + ", " + tuesday + ", seat lab, namespace lab-11"},
		},
		"the newest of several takes": {
			policy: revokingPolicy(perUser), play: func(w *world) { w.deliver(delivered(tuesday, enrollment(12))); w.plan() },
			want: []string{second + ", " + tuesday + together},
		},
		"an older one of several changes nothing": {
			policy: revokingPolicy(perUser), first: []func(*v1alpha1.CourseCompletionSpec){enrollment(12)},
			play: func(w *world) { w.deliver(delivered("2024-01-07 10:00:00")); w.plan() },
			want: []string{second + ", " + monday + together},
		},
		"where the newest is withdrawn, the one before takes": {
			policy: revokingPolicy(perUser), play: func(w *world) {
				w.deliver(delivered(tuesday, enrollment(12)))
				w.plan()
				delete(w.completions, second)
				w.plan()
			}, want: []string{first + ", " + monday + together},
		},
		"a policy that is edited takes what it says now": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Revoke.Seats = []v1alpha1.RevokedSeat{{Pool: "desk"}} })
				w.plan()
			}, want: []string{first + ", " + monday + ", seat desk, namespace lab-11"},
		},
		"a policy that no longer takes gives back": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) {
					s.Revoke = v1alpha1.PolicyRevocation{}
					s.Seats = []v1alpha1.SeatTemplate{{Pool: "lab"}}
				})
				w.plan()
			},
		},
		"a faulty policy leaves it": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Match.Expression = "nonsense(" })
				w.plan()
			}, want: []string{all},
		},
		"a withdrawal gives back what a faulty policy took": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Match.Expression = "nonsense(" })
				clear(w.completions)
				w.plan()
			},
		},
		"a suspended policy leaves it": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Suspend, s.Revoke.Namespaces = new(true), nil })
				w.plan()
			}, want: []string{all},
		},
		"a policy that is removed leaves it": {
			play: func(w *world) { clear(w.policies); w.plan() }, want: []string{all},
		},
		"a policy that deletes and is removed gives back": {
			policy: revokingPolicy(removeWithPolicy), play: func(w *world) { clear(w.policies); w.plan() },
		},
		"a policy that matches no longer leaves it": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Match.CourseIDs[0] = 8 })
				w.plan()
			}, want: []string{all},
		},
		"a policy that deletes and matches no longer gives back": {
			policy: revokingPolicy(removeWithPolicy), play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Match.CourseIDs[0] = 8 })
				w.plan()
			},
		},
		"what cannot be rendered leaves it": {
			play: func(w *world) {
				edit(w, func(s *v1alpha1.CompletionPolicySpec) { s.Revoke.Namespaces[0].Name = "${event.slug}" })
				w.plan()
			}, want: []string{all},
		},
		"what cannot be rendered makes no grant": {
			policy: revokingPolicy(func(s *v1alpha1.CompletionPolicySpec) { s.Revoke.Namespaces[0].Name = "${event.slug}" }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.policy == nil {
				tc.policy = revokingPolicy()
			}
			w := newWorld(t, tc.policy)
			w.deliver(delivered(monday, tc.first...))
			w.plan()
			if tc.play != nil {
				tc.play(w)
			}
			if diff := cmp.Diff(tc.want, showRevocation(w.grants)); diff != "" {
				t.Errorf("what is taken differs (-want +got):\n%s", diff)
			}
		})
	}
}

// Retention gives nothing back, and what was taken is known as long as it is taken from somebody.
func TestRevocationsOutlastRetention(t *testing.T) {
	t.Parallel()
	const sent = "2024-01-10 10:00:00"
	play := func(t *testing.T, handmade ...v1alpha1.Grant) *world {
		t.Helper()
		w := newWorld(t, revokingPolicy())
		w.handmade = handmade
		w.deliver(delivered(sent))
		stored := w.completions["1-7-11-5"]
		stored.CreationTimestamp = metav1.NewTime(w.now)
		w.completions[stored.Name] = stored
		w.retained()
		w.now = w.now.Add(retain)
		w.retained()
		if got := w.retained().Expired; len(got) != 1 {
			t.Fatalf("got %d completions to delete, want the one", len(got))
		}
		clear(w.completions)
		w.retained()
		w.grants[0].Status.Phase = v1alpha1.GrantActive
		w.grants[0].Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRevocationsComplete,
			Status: metav1.ConditionTrue}}
		return w
	}
	loses := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Name: "hand"}, Spec: v1alpha1.GrantSpec{
		Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 5}, Seats: []v1alpha1.GrantedSeat{{Pool: "lab"}}}}
	t.Run("what takes from somebody stays, and a repetition changes nothing", func(t *testing.T) {
		t.Parallel()
		w := play(t, loses)
		w.now = w.now.Add(retain)
		want := showRevocation(w.grants)
		if got := w.retained(); len(got.Over) != 0 || len(want) != 1 {
			t.Fatalf("got over %v, takes %v", got.Over, want)
		}
		w.deliver(delivered(sent))
		if got := w.retained(); got.Grants[0].Changed() {
			t.Error("a late repetition of what was archived changes the grant")
		}
		// Once the other one has gone, it takes nothing any more.
		clear(w.completions)
		w.handmade = nil
		if got := w.retained(); len(got.Over) != 1 {
			t.Error("a grant that takes nothing outstays its history")
		}
	})
	t.Run("what takes from nobody goes after its history", func(t *testing.T) {
		t.Parallel()
		w := play(t)
		if got := w.retained(); len(got.Over) != 0 {
			t.Fatal("over too soon")
		}
		w.now = w.now.Add(retain)
		if got := w.retained(); len(got.Over) != 1 {
			t.Error("a grant that takes nothing outstays its history")
		}
	})
}

// One whose everything was revoked has not ended.
func TestATakenGrantIsNotOver(t *testing.T) {
	t.Parallel()
	grant := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{Seats: []v1alpha1.GrantedSeat{{Pool: "lab"}}}}
	grant.Status.Phase = v1alpha1.GrantEnded
	for reason, want := range map[string]bool{v1alpha1.ReasonRevokedByCompletion: false, v1alpha1.ReasonEnded: true} {
		grant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason}}
		if got := finished(grant); got != want {
			t.Errorf("with the reason %s: got finished %v, want %v", reason, got, want)
		}
	}
}

func TestCompileRevocation(t *testing.T) {
	t.Parallel()
	const nothing = ""
	for name, tc := range map[string]struct {
		seats []v1alpha1.LocalName
		names []v1alpha1.Template
		// want are the field and a part of the message.
		want [2]string
	}{
		"as it should be":           {seats: []v1alpha1.LocalName{"lab"}, names: []v1alpha1.Template{"lab-${user.id}"}},
		"a name without a template": {names: []v1alpha1.Template{"lab"}},
		"an expression that does not compile": {
			names: []v1alpha1.Template{"lab", "lab-${user.identifier}"},
			want:  [2]string{"spec.revoke.namespaces[1].name", "1:"},
		},
		"a personal field": {
			names: []v1alpha1.Template{"lab-${user.name}"}, want: [2]string{"spec.revoke.namespaces[0].name", "personal"},
		},
		"no name": {
			names: []v1alpha1.Template{"Lab 1"}, want: [2]string{"spec.revoke.namespaces[0].name", "a valid namespace name"},
		},
		"a system namespace": {
			names: []v1alpha1.Template{"kube-system"}, want: [2]string{"spec.revoke.namespaces[0].name", "system"},
		},
		"the operator's own": {
			names: []v1alpha1.Template{"completion-system"}, want: [2]string{"spec.revoke.namespaces[0].name", "system"},
		},
		"the seat that it grants": {
			seats: []v1alpha1.LocalName{"lab", "mine"}, want: [2]string{"spec.revoke.seats[1].pool", "grants a seat"},
		},
		"the namespace that it grants": {
			names: []v1alpha1.Template{"grad-${user.id}"},
			want:  [2]string{"spec.revoke.namespaces[0].name", "grants this namespace"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) {
				s.Namespaces[0].Name = "grad-${user.id}"
				s.Seats = []v1alpha1.SeatTemplate{{Pool: "mine"}}
				for _, pool := range tc.seats {
					s.Revoke.Seats = append(s.Revoke.Seats, v1alpha1.RevokedSeat{Pool: pool})
				}
				for _, name := range tc.names {
					s.Revoke.Namespaces = append(s.Revoke.Namespaces, v1alpha1.RevokedNamespace{Name: name})
				}
			})
			compiled := policies.Compile(policy, v1alpha1.PrivacySpec{}, testLimits)
			if tc.want[0] == nothing {
				if !compiled.Ready() {
					t.Errorf("not ready: %s", compiled.Message())
				}
				return
			}
			if len(compiled.Faults) != 1 || compiled.Faults[0].Field != tc.want[0] ||
				!strings.Contains(compiled.Faults[0].Message, tc.want[1]) {
				t.Errorf("faults are %v, want one of %v", compiled.Faults, tc.want)
			}
		})
	}
}

// What is only known once it is rendered is checked then, and fails the completion.
func TestRenderedRevocationIsChecked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		names []v1alpha1.Template
		want  string
	}{
		"no name":                      {[]v1alpha1.Template{"${event.slug}"}, "a valid namespace name"},
		"a system namespace":           {[]v1alpha1.Template{"kube-${user.id}"}, "system namespaces"},
		"one name twice":               {[]v1alpha1.Template{"lab-${user.id}", "lab-${string(user.id)}"}, "the same name"},
		"the namespace that it grants": {[]v1alpha1.Template{"grad-${string(user.id)}-7"}, "grants this namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) {
				for _, name := range tc.names {
					s.Revoke.Namespaces = append(s.Revoke.Namespaces, v1alpha1.RevokedNamespace{Name: name})
				}
			}))
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			if len(w.grants) != 0 {
				t.Errorf("got %d grants, want none", len(w.grants))
			}
			row := w.last.Completions[0].Policies[0]
			if row.Outcome != v1alpha1.OutcomeFailed || !strings.Contains(row.Message, tc.want) ||
				!strings.HasPrefix(row.Message, "spec.revoke.namespaces[") {
				t.Errorf("got the row %+v, want a failure with %q", row, tc.want)
			}
		})
	}
}

func TestRevocableLabel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key, value string
		annotation bool
		wantField  string
	}{
		"of the own institution":      {key: v1alpha1.LabelRevocable, value: "1"},
		"of another institution":      {key: v1alpha1.LabelRevocable, value: "2", wantField: "spec.namespaces[0].labels["},
		"of no institution":           {key: v1alpha1.LabelRevocable, value: "", wantField: "spec.namespaces[0].labels["},
		"another label of the domain": {key: v1alpha1.LabelGrant, value: "1", wantField: "spec.namespaces[0].labels["},
		"as an annotation": {
			key: v1alpha1.LabelRevocable, value: "1", annotation: true, wantField: "spec.namespaces[0].annotations[",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := v1alpha1.GrantedNamespace{Name: "grad-5"}
			if tc.annotation {
				ns.Annotations = map[string]string{tc.key: tc.value}
			} else {
				ns.Labels = map[string]string{tc.key: tc.value}
			}
			faults := testLimits.CheckGrant(&v1alpha1.GrantSpec{
				Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 5}, Namespaces: []v1alpha1.GrantedNamespace{ns},
			}, policies.Site{Namespace: "school", Prefix: "grad-"})
			if tc.wantField == "" {
				if len(faults) != 0 {
					t.Errorf("faults are %v, want none", faults)
				}
				return
			}
			if len(faults) != 1 || !strings.HasPrefix(faults[0].Field, tc.wantField) {
				t.Errorf("faults are %v, want one of %s", faults, tc.wantField)
			}
		})
	}
}
