// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

// digestOf makes a digest whose order is that of the letter.
func digestOf(letter string) string { return strings.Repeat(letter, 64) }

// noon is the moment at which the tests look.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// takenAt is the moment of the completion that takes: noon, as its text says.
const revokedAt = "2026-03-01 12:00:00"

// taker is a Grant that takes the pool lab and the namespace lab-5, and has begun to a day ago.
func revoker(edit ...func(*v1alpha1.Grant)) v1alpha1.Grant {
	grant := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Name: "done.c"}, Spec: v1alpha1.GrantSpec{
		Policy: "done", Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 5},
		Lifetime: v1alpha1.Lifetime{GraceDays: new(int32(30))},
		Revokes: v1alpha1.GrantRevocation{
			Completion: "c", SendAt: revokedAt, SentAt: metav1.NewTime(noon), Digest: digestOf("m"),
			Seats:      []v1alpha1.RevokedSeat{{Pool: "lab"}},
			Namespaces: []v1alpha1.GrantRevokedNamespace{{Name: "lab-5"}},
		},
	}}
	grant.Status.Revocations = []v1alpha1.NamespaceRevocation{
		{Name: "lab-5", SendAt: revokedAt, Digest: digestOf("m"), At: metav1.NewTime(noon.Add(-moment.Day))}}
	for _, e := range edit {
		e(&grant)
	}
	return grant
}

// losing is a planned Grant of the same person with the seat and the namespace, of one older completion.
func losing(edit ...func(*v1alpha1.Grant)) v1alpha1.Grant {
	grant := v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Name: "lab.e", CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec: v1alpha1.GrantSpec{
			Policy: "lab", Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 5},
			Lifetime: v1alpha1.Lifetime{GraceDays: new(int32(90))},
			Causes:   []v1alpha1.GrantCause{{Completion: "e", SendAt: "2026-02-01 12:00:00", Digest: digestOf("a")}},
			Seats:    []v1alpha1.GrantedSeat{{Pool: "lab"}, {Pool: "library"}},
			Namespaces: []v1alpha1.GrantedNamespace{
				{Name: "lab-5", Labels: map[string]string{v1alpha1.LabelRevocable: "1"}}},
		},
	}
	for _, e := range edit {
		e(&grant)
	}
	return grant
}

// causedAlso adds a cause; it ends so long after noon, or not at all where that is zero.
func causedAlso(sendAt, digest string, ends time.Duration) func(*v1alpha1.Grant) {
	return func(g *v1alpha1.Grant) {
		cause := v1alpha1.GrantCause{Completion: "later", SendAt: sendAt, Digest: digestOf(digest)}
		if ends != 0 {
			cause.EndsAt, cause.End = new(metav1.NewTime(noon.Add(ends))), v1alpha1.CauseMaximumReached
		}
		g.Spec.Causes = append(g.Spec.Causes, cause)
	}
}

func made(at time.Duration) func(*v1alpha1.Grant) {
	return func(g *v1alpha1.Grant) {
		g.Spec.Policy, g.Spec.Causes = "", nil
		g.CreationTimestamp = metav1.NewTime(noon.Add(at))
	}
}

func manual(override v1alpha1.GrantOverride) func(*v1alpha1.Grant) {
	return func(g *v1alpha1.Grant) { g.Spec.Approval, g.Spec.Override = v1alpha1.ApprovalManual, override }
}

func TestRevokedFrom(t *testing.T) {
	t.Parallel()
	const after = "2026-03-01 12:00:01"
	due := noon.Add(29 * moment.Day)
	for name, tc := range map[string]struct {
		revoker, grant v1alpha1.Grant
		// wantSeat and wantNamespace are the completions that take, empty for none.
		wantSeat, wantNamespace string
		wantDue, wantNext       time.Time
	}{
		"an older completion loses": {
			revoker: revoker(), grant: losing(), wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"somebody else loses nothing": {
			revoker: revoker(), grant: losing(func(g *v1alpha1.Grant) { g.Spec.Holder.UserID = 6 }),
		},
		"the same person at another institution loses nothing": {
			revoker: revoker(), grant: losing(func(g *v1alpha1.Grant) { g.Spec.Holder.InstitutionID = 2 }),
		},
		"the same ids in another namespace lose nothing": {
			revoker: revoker(), grant: losing(func(g *v1alpha1.Grant) { g.Namespace = "elsewhere" }),
		},
		"a later completion keeps": {revoker: revoker(), grant: losing(causedAlso(after, "a", 0))},
		"the time decides before the digest": {
			revoker: revoker(), grant: losing(causedAlso("2026-03-01 11:59:59", "z", 0)),
			wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"at the same second the digest decides: later": {revoker: revoker(), grant: losing(causedAlso(revokedAt, "n", 0))},
		"at the same second the digest decides: earlier": {
			revoker: revoker(), grant: losing(causedAlso(revokedAt, "l", 0)), wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"what the same completion gave is taken": {
			revoker: revoker(), grant: losing(causedAlso(revokedAt, "m", 0)), wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"a later completion keeps until it ends": {
			revoker: revoker(), grant: losing(causedAlso(after, "a", time.Hour)), wantNext: noon.Add(time.Hour),
		},
		"a later completion that has ended keeps nothing, and the grace days count from then": {
			revoker: revoker(), grant: losing(causedAlso(after, "a", -time.Minute)),
			wantSeat: "c", wantNamespace: "c", wantDue: noon.Add(90*moment.Day - time.Minute),
		},
		"a grant made by hand before loses": {
			revoker: revoker(), grant: losing(made(-time.Hour)), wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"a grant made by hand in the same second loses": {
			revoker: revoker(), grant: losing(made(0)), wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"a grant made by hand later keeps": {revoker: revoker(), grant: losing(made(time.Second))},
		"a namespace that does not say that it may be taken stays": {
			revoker: revoker(), grant: losing(func(g *v1alpha1.Grant) { g.Spec.Namespaces[0].Labels = nil }), wantSeat: "c",
		},
		"a namespace for another institution to take stays": {
			revoker: revoker(), wantSeat: "c",
			grant: losing(func(g *v1alpha1.Grant) { g.Spec.Namespaces[0].Labels[v1alpha1.LabelRevocable] = "2" }),
		},
		"a namespace stays until the status says that taking it has begun": {
			revoker: revoker(func(g *v1alpha1.Grant) { g.Status.Revocations = nil }), grant: losing(), wantSeat: "c",
		},
		"what a status says and the spec no longer does is not taken": {
			revoker: revoker(func(g *v1alpha1.Grant) { g.Spec.Revokes.Namespaces = nil }), grant: losing(), wantSeat: "c",
		},
		"a later delivery has to begin first, and an earlier one goes on": {
			revoker: revoker(func(g *v1alpha1.Grant) { g.Spec.Revokes.SendAt = "2026-03-09 12:00:00" }), grant: losing(),
			wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"a later delivery that has not begun takes nothing that came between": {
			revoker: revoker(func(g *v1alpha1.Grant) { g.Spec.Revokes.SendAt = "2026-03-09 12:00:00" }),
			grant:   losing(causedAlso(after, "a", 0)), wantSeat: "c",
		},
		"a grant that waits for approval takes nothing": {
			revoker: revoker(manual(v1alpha1.GrantOverride{})), grant: losing(),
		},
		"an approved one takes": {
			revoker: revoker(manual(v1alpha1.GrantOverride{Approved: new(true)})), grant: losing(),
			wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"one that a person revoked has taken all the same": {
			revoker: revoker(func(g *v1alpha1.Grant) { g.Spec.Override.Revoked = new(true) }), grant: losing(),
			wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"one that has ended has taken all the same": {
			revoker: revoker(endedLongKnown), grant: losing(), wantSeat: "c", wantNamespace: "c", wantDue: due,
		},
		"an end that a person put off gives nothing back": {
			revoker: revoker(), wantSeat: "c", wantNamespace: "c", wantDue: due,
			grant: losing(func(g *v1alpha1.Grant) { g.Spec.Override.Until = new(metav1.NewTime(noon.Add(time.Hour))) }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := RevokedFrom(&tc.grant, []v1alpha1.Grant{tc.grant, tc.revoker}, noon)
			for what, diff := range map[string]string{
				"seat":      cmp.Diff(tc.wantSeat, string(got.Seats["lab"].Completion)),
				"library":   cmp.Diff("", string(got.Seats["library"].Completion)),
				"namespace": cmp.Diff(tc.wantNamespace, string(got.Namespaces["lab-5"].Completion)),
				"due":       cmp.Diff(tc.wantDue, got.Namespaces["lab-5"].DataEndsAt),
				"next":      cmp.Diff(tc.wantNext, got.Next),
			} {
				if diff != "" {
					t.Errorf("%s differs (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

// Of two that take the same, the sooner end counts, whatever the order in which they are listed.
// A namespace that was revoked is not wanted again while another Grant of the holder has it, which keeps it.
func TestRevokedFromAndGivenToAnother(t *testing.T) {
	t.Parallel()
	has := func(g *v1alpha1.Grant) {
		g.Status.Inventory = []v1alpha1.InventoryEntry{{Group: new(""), Kind: "Namespace", Name: "lab-5"}}
	}
	notBegun := func(g *v1alpha1.Grant) { g.Status.Revocations = nil }
	again := func(g *v1alpha1.Grant) { g.Name = "again" }
	planned := func(g *v1alpha1.Grant) {
		g.Name, g.Spec.Policy = "again.e", "other"
		causedAlso("2026-03-02 12:00:00", "z", 0)(g)
	}
	for name, tc := range map[string]struct {
		grant, other v1alpha1.Grant
		revoked      bool
	}{
		"by hand":                {losing(made(-time.Hour)), losing(made(time.Hour), again, has), true},
		"by another policy":      {losing(), losing(planned, has), true},
		"not in place yet":       {losing(made(-time.Hour)), losing(made(time.Hour), again), false},
		"has it still":           {losing(made(-time.Hour), has), losing(made(time.Hour), again, has), false},
		"is later itself":        {losing(made(time.Hour)), losing(made(time.Hour), again, has), false},
		"would lose it too":      {losing(made(-time.Hour)), losing(made(-time.Hour), again, has), false},
		"shared within a policy": {losing(), losing(planned, has, func(g *v1alpha1.Grant) { g.Spec.Policy = "lab" }), false},
		"not said to be revocable": {losing(made(-time.Hour), func(g *v1alpha1.Grant) { g.Spec.Namespaces[0].Labels = nil }),
			losing(made(time.Hour), again, has), false},
		"somebody else's": {losing(made(-time.Hour)),
			losing(made(time.Hour), again, has, func(g *v1alpha1.Grant) { g.Spec.Holder.UserID = 6 }), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := RevokedFrom(&tc.grant, []v1alpha1.Grant{revoker(notBegun), tc.grant, tc.other}, noon)
			want := map[string]Revoker{}
			if tc.revoked {
				want["lab-5"] = Revoker{Grant: "done.c", Completion: "c"}
			}
			if diff := cmp.Diff(want, got.Namespaces); diff != "" {
				t.Errorf("namespaces differ (-want +got):\n%s", diff)
			}
			// Nothing is taken from the one that keeps it.
			if other := RevokedFrom(&tc.other, []v1alpha1.Grant{revoker(notBegun), tc.grant, tc.other}, noon); tc.revoked &&
				len(other.Namespaces) > 0 {
				t.Errorf("revoked from the other: %v", other.Namespaces)
			}
		})
	}
}

func TestRevokedFromByTwo(t *testing.T) {
	t.Parallel()
	second := revoker(func(g *v1alpha1.Grant) {
		g.Name, g.Spec.Revokes.Completion = "also.c", "d"
		g.Status.Revocations[0].At = metav1.NewTime(noon.Add(-2 * moment.Day))
	})
	grant := losing()
	for _, beside := range [][]v1alpha1.Grant{{revoker(), second}, {second, revoker()}} {
		got := RevokedFrom(&grant, beside, noon)
		want := Revoker{Grant: "also.c", Completion: "d", DataEndsAt: noon.Add(28 * moment.Day)}
		if diff := cmp.Diff(want, got.Namespaces["lab-5"]); diff != "" {
			t.Errorf("namespace differs (-want +got):\n%s", diff)
		}
		if got.Seats["lab"].Grant != "also.c" {
			t.Errorf("the seat is taken by %s, want the first by name", got.Seats["lab"].Grant)
		}
	}
}

func TestStarted(t *testing.T) {
	t.Parallel()
	begun := metav1.NewTime(noon.Add(-moment.Day))
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.Grant)
		want map[string]metav1.Time
	}{
		"what has begun goes on": {edit: func(*v1alpha1.Grant) {}, want: map[string]metav1.Time{"lab-5": begun}},
		"another namespace begins now": {
			edit: func(g *v1alpha1.Grant) {
				g.Spec.Revokes.Namespaces = append(g.Spec.Revokes.Namespaces, v1alpha1.GrantRevokedNamespace{Name: "two-5"})
			}, want: map[string]metav1.Time{"lab-5": begun, "two-5": metav1.NewTime(noon)},
		},
		"a later delivery begins anew": {
			edit: func(g *v1alpha1.Grant) { g.Spec.Revokes.SendAt = "2026-03-02 12:00:00" },
			want: map[string]metav1.Time{"lab-5": metav1.NewTime(noon)},
		},
		"another digest of the same delivery changes nothing": {
			edit: func(g *v1alpha1.Grant) { g.Spec.Revokes.Digest = digestOf("x") },
			want: map[string]metav1.Time{"lab-5": begun},
		},
		"what is no longer taken is forgotten": {
			edit: func(g *v1alpha1.Grant) { g.Spec.Revokes.Namespaces = nil }, want: map[string]metav1.Time{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant, got := revoker(tc.edit), map[string]metav1.Time{}
			for _, started := range Started(&grant, noon) {
				got[started.Name] = started.At
				if started.SendAt != grant.Spec.Revokes.SendAt || started.Digest != grant.Spec.Revokes.Digest {
					t.Errorf("it names the delivery %s %s", started.SendAt, started.Digest)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("begun differs (-want +got):\n%s", diff)
			}
		})
	}
}

// What is left is without what is taken, and without the objects in it.
func TestRevokedLeavesTheRest(t *testing.T) {
	t.Parallel()
	object := func(name, namespace string) v1alpha1.GrantedObject {
		return v1alpha1.GrantedObject{Name: v1alpha1.EntryName(name), Object: runtime.RawExtension{Raw: []byte(
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"` + namespace + `"}}`)}}
	}
	grant := losing(func(g *v1alpha1.Grant) {
		g.Spec.Namespaces = append(g.Spec.Namespaces, v1alpha1.GrantedNamespace{Name: "home-5"})
		g.Spec.Objects = []v1alpha1.GrantedObject{
			object("inside", "lab-5"), object("outside", "home-5"), object("nowhere", "")}
	})
	before := grant.DeepCopy()
	revoked := RevokedFrom(&grant, []v1alpha1.Grant{revoker()}, noon)
	left := revoked.Remaining(&grant)
	var got []string
	for _, seat := range left.Spec.Seats {
		got = append(got, string(seat.Pool))
	}
	for _, ns := range left.Spec.Namespaces {
		got = append(got, ns.Name)
	}
	for _, o := range left.Spec.Objects {
		got = append(got, string(o.Name))
	}
	if diff := cmp.Diff([]string{"library", "home-5", "outside", "nowhere"}, got); diff != "" {
		t.Errorf("what is left differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, &grant); diff != "" {
		t.Errorf("the grant itself has changed:\n%s", diff)
	}
}

// endedLongKnown ends a Grant, which was known for long.
func endedLongKnown(g *v1alpha1.Grant) {
	g.Spec.AccessEndsAt = new(metav1.NewTime(noon.Add(-time.Second)))
	g.Spec.EndKnownAt = new(metav1.NewMicroTime(noon.Add(-30 * moment.Day)))
}
