// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// dueRevoker revokes lab-5, has begun to long ago, and gives no grace days.
func dueRevoker(edit ...func(*v1alpha1.Grant)) *v1alpha1.Grant {
	grant := revoker(edit...)
	grant.Namespace, grant.UID, grant.Generation = "school", "done.c", 1
	grant.Spec.Lifetime.GraceDays = new(int32(0))
	return &grant
}

// unowned is a namespace that no Grant made, which the institution may revoke.
func unowned(edit ...func(*NamespaceFacts)) *NamespaceFacts {
	facts := &NamespaceFacts{Name: "lab-5", Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "lab-5", UID: "ns", CreationTimestamp: metav1.NewTime(noon.Add(-48 * time.Hour)),
		Labels: map[string]string{v1alpha1.LabelRevocable: "1"}, Annotations: map[string]string{}}}}
	for _, e := range edit {
		e(facts)
	}
	return facts
}

// owned is a namespace that another Grant of the holder made, from which it is revoked.
func owned(edit ...func(*NamespaceFacts)) *NamespaceFacts {
	owner := losing(func(g *v1alpha1.Grant) {
		g.Namespace, g.UID, g.Generation = "school", "lab.e", 1
		g.Spec.Lifetime.GraceDays = new(int32(0))
	})
	return unowned(append([]func(*NamespaceFacts){func(n *NamespaceFacts) {
		n.Object.Labels[v1alpha1.LabelGrant] = owner.OwnerDigest()
		n.Owner, n.BesideOwner = &owner, []v1alpha1.Grant{owner}
	}}, edit...)...)
}

// keeping adds a Grant of the same holder and policy as the owner's, which keeps the namespace.
func keeping(n *NamespaceFacts) {
	other := losing(causedAlso("2026-03-01 12:00:01", "a", 0), func(g *v1alpha1.Grant) {
		g.Name, g.Namespace, g.UID = "lab.f", "school", "lab.f"
	})
	n.BesideOwner = append(n.BesideOwner, other)
}

// Whatever keeps a namespace keeps it by itself, and what nothing keeps goes.
func TestDecideDeletion(t *testing.T) {
	t.Parallel()
	edit := func(e func(*NamespaceFacts)) *NamespaceFacts { return unowned(e) }
	younger := func(n *NamespaceFacts) { n.Object.CreationTimestamp = metav1.NewTime(noon.Add(time.Second)) }
	keptUntil := func(ends time.Duration) func(*NamespaceFacts) {
		return func(n *NamespaceFacts) { causedAlso("2026-03-01 12:00:01", "a", ends)(n.Owner) }
	}
	outdated := func(g *v1alpha1.Grant) { g.Spec.Revokes.SendAt = "2026-03-01 13:00:00" }
	for name, tc := range map[string]struct {
		grant      *v1alpha1.Grant
		unrecorded bool
		namespace  *NamespaceFacts
		// certainOf and doubtfulOf are the Grants that were confirmed.
		certainOf, doubtfulOf string
		want                  DeletionAction
		wantReason            string
		wantSays              string
	}{
		"not due": {grant: dueRevoker(func(g *v1alpha1.Grant) {
			g.Status.Revocations[0].At = metav1.NewTime(noon.Add(time.Hour))
		}),
			want: NamespaceWaits, wantReason: v1alpha1.ReasonAccessEnded, wantSays: "due to be deleted after"},
		"not recorded":              {unrecorded: true, want: NamespaceWaits, wantReason: v1alpha1.ReasonAccessEnded},
		"read first":                {want: ReadNamespace},
		"gone":                      {namespace: &NamespaceFacts{Name: "lab-5"}, want: NamespaceWaits},
		"nobody's, and certain":     {namespace: unowned(), certainOf: "done.c", want: DeleteNamespace},
		"nobody's, to be confirmed": {namespace: unowned(), want: ConfirmRevoker},
		"nobody's, and in doubt": {namespace: unowned(), doubtfulOf: "done.c", want: NamespaceWaits,
			wantReason: v1alpha1.ReasonAccessEnded, wantSays: "kept for now"},
		"not labelled": {namespace: edit(func(n *NamespaceFacts) { delete(n.Object.Labels, v1alpha1.LabelRevocable) }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable,
			wantSays: "does not have the label"},
		"labelled for another institution": {
			namespace: edit(func(n *NamespaceFacts) { n.Object.Labels[v1alpha1.LabelRevocable] = "2" }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable,
			wantSays: "does not have the label"},
		"made from a template": {
			namespace: edit(func(n *NamespaceFacts) { n.Object.Annotations[v1alpha1.AnnotationServiceAccount] = "a" }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "from a template"},
		"an Institution is in it": {namespace: edit(func(n *NamespaceFacts) { n.HoldsInstitution = true }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable,
			wantSays: "it contains an Institution"},
		"being deleted": {namespace: edit(func(n *NamespaceFacts) { n.Object.DeletionTimestamp = new(metav1.NewTime(noon)) }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonTerminating, wantSays: "is being deleted"},
		"begun because of an older delivery": {grant: dueRevoker(outdated), namespace: unowned(), certainOf: "done.c",
			want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "newest delivery"},
		"younger than the completion": {namespace: edit(younger), certainOf: "done.c", want: NamespaceWaits,
			wantReason: v1alpha1.ReasonNotRevocable, wantSays: "after the completion"},
		"two Institutions have the id": {namespace: edit(func(n *NamespaceFacts) { n.Contested = true }), certainOf: "done.c",
			want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "only one may have it"},
		"its Grant is not there": {namespace: owned(func(n *NamespaceFacts) { n.Owner = nil }), certainOf: "done.c",
			want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "does not exist"},
		"its Grant is another institution's": {namespace: owned(func(n *NamespaceFacts) { n.Owner.Namespace = "college" }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "another institution"},
		"its Grant is somebody else's": {namespace: owned(func(n *NamespaceFacts) { n.Owner.Spec.Holder.UserID = 6 }),
			certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "another user"},
		"its Grant keeps it": {namespace: owned(keptUntil(0)), certainOf: "done.c", want: NamespaceWaits,
			wantReason: v1alpha1.ReasonNotRevocable, wantSays: "a later reason to keep it"},
		"its Grant keeps it for a while": {namespace: owned(keptUntil(time.Hour)), certainOf: "done.c", want: NamespaceWaits,
			wantReason: v1alpha1.ReasonAccessEnded, wantSays: "due to be deleted after"},
		"its Grant does not say the label": {
			namespace: owned(func(n *NamespaceFacts) { n.Owner.Spec.Namespaces[0].Labels = nil }), certainOf: "done.c",
			want: NamespaceWaits, wantReason: v1alpha1.ReasonNotRevocable, wantSays: "does not have the label"},
		"its Grant promises grace days": {namespace: owned(keptUntil(-time.Hour), func(n *NamespaceFacts) {
			n.Owner.Spec.Lifetime.GraceDays = new(int32(5))
		}), certainOf: "done.c", want: NamespaceWaits, wantReason: v1alpha1.ReasonAccessEnded, wantSays: "due to be " +
			"deleted after"},
		"another Grant keeps it": {namespace: owned(keeping), certainOf: "done.c", want: NamespaceWaits,
			wantReason: v1alpha1.ReasonNotRevocable, wantSays: "grant lab.f has a later reason"},
		"its Grant is confirmed first": {namespace: owned(), want: ConfirmOwner},
		"its Grant is in doubt": {
			namespace: owned(), doubtfulOf: "lab.e",
			want: NamespaceWaits, wantReason: v1alpha1.ReasonAccessEnded, wantSays: "kept for now"},
		"then the one that revokes": {namespace: owned(), certainOf: "lab.e", want: ConfirmRevoker},
		"both are certain":          {namespace: owned(), certainOf: "lab.e done.c", want: DeleteNamespace},
		"a person's Grant is as it says": {
			namespace: owned(func(n *NamespaceFacts) { n.Owner.Spec.Policy = "" }), certainOf: "done.c", want: DeleteNamespace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.grant == nil {
				tc.grant = dueRevoker()
			}
			facts := DeletionFacts{Grant: tc.grant, Started: tc.grant.Status.Revocations[0], Recorded: !tc.unrecorded,
				Namespace: tc.namespace, Now: noon}
			confirmed := func(grant *v1alpha1.Grant) *Confirmation {
				switch {
				case strings.Contains(tc.certainOf, grant.Name):
					return certain(grant, func(c *Confirmation) {
						c.Completions = []v1alpha1.CourseCompletion{{ObjectMeta: metav1.ObjectMeta{Name: "c"}}}
					})
				case tc.doubtfulOf == grant.Name:
					return &Confirmation{}
				}
				return nil
			}
			facts.Revoker = confirmed(tc.grant)
			if tc.namespace != nil && tc.namespace.Owner != nil {
				facts.Owner = confirmed(tc.namespace.Owner)
			}
			action, progress := DecideDeletion(facts)
			if action != tc.want || progress.Reason != tc.wantReason || !strings.Contains(progress.Message, tc.wantSays) {
				t.Errorf("got %s, %+v", action, progress)
			}
		})
	}
}

// What was read again for certain counts, and not what was known before.
func TestDecideDeletionCountsWhatWasConfirmedBesideTheOwner(t *testing.T) {
	t.Parallel()
	grant, namespace := dueRevoker(), owned()
	beside := owned(keeping).BesideOwner
	action, progress := DecideDeletion(DeletionFacts{Grant: grant, Started: grant.Status.Revocations[0], Recorded: true,
		Namespace: namespace, Owner: certain(namespace.Owner, func(c *Confirmation) { c.Known = beside }),
		Revoker: certain(grant), Now: noon})
	if action != NamespaceWaits || !strings.Contains(progress.Message, "grant lab.f") {
		t.Errorf("got %s, %+v; want that grant lab.f keeps it", action, progress)
	}
}

// A Grant that revokes a namespace of its own is confirmed once.
func TestDecideDeletionCountsWhatWasConfirmedBesideAnOwnerThatRevokes(t *testing.T) {
	t.Parallel()
	grant := dueRevoker(func(g *v1alpha1.Grant) { g.Spec.Namespaces = losing().Spec.Namespaces })
	keep := func(n *NamespaceFacts) {
		other := grant.DeepCopy()
		other.Name, other.UID, other.Spec.Revokes = "done.f", "done.f", v1alpha1.GrantRevocation{}
		causedAlso("2026-03-01 12:00:01", "a", 0)(other)
		n.BesideOwner = append(n.BesideOwner, *other)
	}
	own := func(n *NamespaceFacts) {
		n.Object.Labels[v1alpha1.LabelGrant] = grant.OwnerDigest()
		n.Owner, n.BesideOwner = grant, []v1alpha1.Grant{*grant}
	}
	namespace := unowned(own)
	for _, tc := range []struct {
		beside []v1alpha1.Grant
		want   DeletionAction
	}{{namespace.BesideOwner, DeleteNamespace}, {unowned(own, keep).BesideOwner, NamespaceWaits}} {
		action, progress := DecideDeletion(DeletionFacts{Grant: grant, Started: grant.Status.Revocations[0], Recorded: true,
			Namespace: namespace, Revoker: certain(grant, func(c *Confirmation) { c.Known = tc.beside }), Now: noon})
		if action != tc.want {
			t.Errorf("with %d beside: got %s, %+v; want %s", len(tc.beside), action, progress, tc.want)
		}
	}
}

func TestDecideStart(t *testing.T) {
	t.Parallel()
	fresh := func(edit ...func(*v1alpha1.Grant)) *v1alpha1.Grant {
		return dueRevoker(append([]func(*v1alpha1.Grant){func(g *v1alpha1.Grant) { g.Status.Revocations = nil }}, edit...)...)
	}
	older := func(g *v1alpha1.Grant) { g.Status.Revocations[0].SendAt = "2026-02-28 12:00:00" }
	for name, tc := range map[string]struct {
		grant      *v1alpha1.Grant
		beside     []v1alpha1.Grant
		namespace  *NamespaceFacts
		admitted   *bool
		wantRead   string
		wantAsk    bool
		wantWaits  bool
		wantStarts []string
		wantSays   string
	}{
		"the namespace is read first": {grant: fresh(), wantRead: "lab-5"},
		"what is not there begins": {
			grant: fresh(), namespace: &NamespaceFacts{Name: "lab-5"}, wantStarts: []string{"lab-5"}},
		"what has begun is not read again": {grant: dueRevoker(), wantStarts: []string{"lab-5"}},
		"the brake is asked":               {grant: fresh(), namespace: unowned(), wantAsk: true},
		"what the brake lets through begins": {
			grant: fresh(), namespace: unowned(), admitted: new(true), wantStarts: []string{"lab-5"}},
		"what the brake holds does not": {
			grant: fresh(), namespace: unowned(), admitted: new(false), wantWaits: true,
			wantSays: "the revocation of namespace lab-5 is paused"},
		"what is untouchable does not begin": {
			grant: fresh(), namespace: unowned(func(n *NamespaceFacts) { n.HoldsInstitution = true }),
			wantSays: "is not revoked"},
		"what is being deleted begins": {grant: fresh(), wantStarts: []string{"lab-5"},
			namespace: unowned(func(n *NamespaceFacts) { n.Object.DeletionTimestamp = new(metav1.NewTime(noon)) })},
		"what another Grant keeps does not begin": {
			grant: fresh(), namespace: owned(keeping), wantSays: "lab.f has a later reason"},
		"what its Grant keeps is not even read": {grant: fresh(), beside: []v1alpha1.Grant{losing(
			func(g *v1alpha1.Grant) { g.Namespace = "school" }, causedAlso("2026-03-01 12:00:01", "a", 0),
			func(g *v1alpha1.Grant) {
				g.Status.Inventory = []v1alpha1.InventoryEntry{{Group: new(""), Kind: "Namespace", Name: "lab-5"}}
			})}, wantSays: "a later reason"},
		"what an older delivery revokes already asks nobody": {
			grant: dueRevoker(older), namespace: owned(), wantStarts: []string{"lab-5"}},
		"nor what was nobody's": {
			grant: dueRevoker(older), namespace: unowned(), wantStarts: []string{"lab-5"}},
		"what was made since an older delivery is asked for": {grant: dueRevoker(older), wantAsk: true,
			namespace: unowned(func(n *NamespaceFacts) { n.Object.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour)) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := StartFacts{Grant: tc.grant, Beside: tc.beside, Admitted: tc.admitted, Now: noon}
			if tc.namespace != nil {
				facts.Namespaces = map[string]NamespaceFacts{"lab-5": *tc.namespace}
			}
			got := DecideStart(facts)
			var starts []string
			for _, s := range got.Revocations {
				starts = append(starts, s.Name)
			}
			if got.Read != tc.wantRead || (got.Ask != nil) != tc.wantAsk || got.Waits != tc.wantWaits ||
				!cmp.Equal(starts, tc.wantStarts) || !strings.Contains(got.Progress.Message, tc.wantSays) ||
				(got.KnownAt != nil) != tc.wantWaits {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A system namespace is never touched, whatever it carries.
func TestSystemNamespacesAreUntouchable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"default", "kube-system", "kube-node-lease", "kube-anything", "openshift-dns",
		"completion-system"} {
		namespace := unowned(func(n *NamespaceFacts) { n.Name, n.Object.Name = name, name })
		if !UntouchableByMetadata(dueRevoker(), *namespace) {
			t.Errorf("%s may be revoked", name)
		}
	}
}

// People act upon the worst of what is told of several namespaces.
func TestWorse(t *testing.T) {
	t.Parallel()
	order := []string{"", v1alpha1.ReasonAccessEnded, v1alpha1.ReasonTerminating, v1alpha1.ReasonProgressingWithRetry,
		v1alpha1.ReasonNotRevocable}
	for i, better := range order {
		for _, worse := range order[i+1:] {
			a, b := Progress{Reason: better}, Progress{Reason: worse}
			if Worse(a, b) != b || Worse(b, a) != b {
				t.Errorf("%q is told rather than %q", better, worse)
			}
		}
	}
	first, second := Progress{Reason: "x", Message: "1"}, Progress{Reason: "x", Message: "2"}
	if Worse(first, second) != first {
		t.Error("of two that matter alike the first is told")
	}
}
