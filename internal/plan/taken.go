// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// Taken is what completions have taken away from a Grant.
type Taken struct {
	// Seats are the seats taken, by pool.
	Seats map[v1alpha1.LocalName]Taking
	// Namespaces are the namespaces taken, by name.
	Namespaces map[string]Taking
	// Next is when a cause that keeps something ends, so that it is taken then; zero if none does.
	Next time.Time
}

// Taking is who takes one thing away from a Grant.
type Taking struct {
	// Grant is the name of the Grant that takes, and Completion the one that it takes because of.
	Grant      string
	Completion v1alpha1.LocalName
	// DataEndsAt is when a namespace is deleted, at the earliest; zero for a seat.
	DataEndsAt time.Time
}

// TakenFrom works out what is taken away from a Grant by the Grants beside it, of which only those of the same holder
// count. What is taken because of a completion is taken from everything that is not later: a Grant keeps it if one of
// its causes is live and later in the order, and a Grant that a person made, if it was made after the completion. The
// Grants beside may include the Grant itself, for which the same holds.
func TakenFrom(grant *v1alpha1.Grant, beside []v1alpha1.Grant, now time.Time) Taken {
	taken := Taken{Seats: map[v1alpha1.LocalName]Taking{}, Namespaces: map[string]Taking{}}
	for i := range beside {
		if taker := &beside[i]; taker.Revokes() {
			taken.seats(grant, taker, now)
			taken.namespaces(grant, taker, now)
		}
	}
	return taken
}

func (t *Taken) seats(grant, taker *v1alpha1.Grant, now time.Time) {
	for _, seat := range grant.Spec.Seats {
		if !slices.Contains(taker.Spec.Revokes.Seats, v1alpha1.RevokedSeat(seat)) {
			continue
		}
		verdict := judge(grant, taker, keyOf(&taker.Spec.Revokes), now)
		t.sooner(verdict.until)
		if other, found := t.Seats[seat.Pool]; verdict.taken && (!found || taker.Name < other.Grant) {
			t.Seats[seat.Pool] = Taking{Grant: taker.Name, Completion: taker.Spec.Revokes.Completion}
		}
	}
}

func (t *Taken) namespaces(grant, taker *v1alpha1.Grant, now time.Time) {
	for i := range grant.Spec.Namespaces {
		name := grant.Spec.Namespaces[i].Name
		taking, until := NamespaceTaken(grant, taker, name, now)
		t.sooner(until)
		other, found := t.Namespaces[name]
		if taking != nil && (!found || cmp.Or(taking.DataEndsAt.Compare(other.DataEndsAt),
			cmp.Compare(taking.Grant, other.Grant)) < 0) {
			t.Namespaces[name] = *taking
		}
	}
}

func (t *Taken) sooner(at time.Time) {
	if !at.IsZero() && (t.Next.IsZero() || at.Before(t.Next)) {
		t.Next = at
	}
}

// Revocable reports whether a Grant lets completions take a namespace away, by the label that it says for it. What it
// no longer says stays until the Grant ends.
func Revocable(grant *v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(grant.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool {
		return ns.Name == name && ns.Labels[v1alpha1.LabelRevocable] == grant.Spec.Holder.InstitutionID.String()
	})
}

// NamespaceTaken works out whether one Grant takes a namespace away from another, nil if it does not; and when a cause
// that keeps it ends, zero if none does. It takes once its status says that this has begun.
func NamespaceTaken(grant, taker *v1alpha1.Grant, name string, now time.Time) (*Taking, time.Time) {
	takes := &taker.Spec.Revokes
	took := tookOf(taker, name)
	said := slices.Contains(takes.Namespaces, v1alpha1.GrantRevokedNamespace{Name: name})
	if took == nil || !said || !Revocable(grant, name) {
		return nil, time.Time{}
	}
	// A later delivery takes anew, and has not begun to before the status says so.
	key := keyOf(takes)
	if begun := (order.Key{SendAt: took.SendAt, Digest: took.Digest}); order.Compare(begun, key) < 0 {
		key = begun
	}
	verdict := judge(grant, taker, key, now)
	if !verdict.taken {
		return nil, verdict.until
	}
	ends := after(took.At.Time, graceOf(taker))
	// What was kept for a while counts from then, and has the grace days that its own Grant promises.
	if !verdict.kept.IsZero() {
		if later := after(verdict.kept, max(graceOf(taker), graceOf(grant))); later.After(ends) {
			ends = later
		}
	}
	return &Taking{Grant: taker.Name, Completion: takes.Completion, DataEndsAt: ends}, verdict.until
}

func graceOf(grant *v1alpha1.Grant) time.Duration {
	return days(grant.Spec.Lifetime.Grace())
}

func keyOf(takes *v1alpha1.GrantRevocation) order.Key {
	return order.Key{SendAt: takes.SendAt, Digest: takes.Digest}
}

// judgement is whether one Grant takes from another.
type judgement struct {
	taken bool
	// until is when what is not taken will be; zero if never.
	until time.Time
	// kept is until when what is taken was kept by a cause that is later; zero if there is none.
	kept time.Time
}

func judge(grant, taker *v1alpha1.Grant, key order.Key, now time.Time) judgement {
	if grant.Spec.Holder != taker.Spec.Holder || grant.Namespace != taker.Namespace || entitledOr(taker) == Unapproved {
		return judgement{}
	}
	if !grant.Planned() {
		return judgement{taken: !grant.CountsFrom().After(sentAtOf(&taker.Spec.Revokes, key.SendAt))}
	}
	verdict := judgement{taken: true}
	for i := range grant.Spec.Causes {
		cause := &grant.Spec.Causes[i]
		if order.Compare(orderOf(*cause), key) <= 0 {
			continue
		}
		if cause.EndsAt == nil {
			return judgement{}
		}
		if cause.EndsAt.After(verdict.kept) {
			verdict.kept = cause.EndsAt.Time
		}
	}
	if verdict.kept.After(now) {
		return judgement{until: verdict.kept}
	}
	return verdict
}

func tookOf(taker *v1alpha1.Grant, name string) *v1alpha1.NamespaceRevocation {
	for i := range taker.Status.Revocations {
		if taker.Status.Revocations[i].Name == name {
			return &taker.Status.Revocations[i]
		}
	}
	return nil
}

// Takes reports whether a Grant takes anything away now: one that waits for approval does not.
func Takes(grant *v1alpha1.Grant) bool { return grant.Revokes() && entitledOr(grant) != Unapproved }

// TakesFrom reports whether a Grant takes anything away from another one.
func TakesFrom(taker, grant *v1alpha1.Grant, now time.Time) bool {
	taken := TakenFrom(grant, []v1alpha1.Grant{*taker}, now)
	return len(taken.Seats) > 0 || len(taken.Namespaces) > 0
}

// Took returns what the status of a Grant is to say of the namespaces whose taking away has begun. The grace days count
// anew where a later delivery takes, and not where only the institution's privacy, and so the digest, has changed. Of
// what is kept nothing has begun.
func Took(grant *v1alpha1.Grant, now time.Time, kept ...string) []v1alpha1.NamespaceRevocation {
	takes := &grant.Spec.Revokes
	took := make([]v1alpha1.NamespaceRevocation, 0, len(takes.Namespaces))
	for _, ns := range takes.Namespaces {
		if slices.Contains(kept, ns.Name) {
			continue
		}
		at := metav1.NewTime(now.UTC().Truncate(time.Second))
		if before := tookOf(grant, ns.Name); before != nil && before.SendAt == takes.SendAt {
			at = before.At
		}
		took = append(took, v1alpha1.NamespaceRevocation{Name: ns.Name, SendAt: takes.SendAt, Digest: takes.Digest, At: at})
	}
	return took
}

// TakenDataEnds returns when a namespace that no Grant made is deleted, at the earliest.
func TakenDataEnds(taker *v1alpha1.Grant, took v1alpha1.NamespaceRevocation) time.Time {
	return after(took.At.Time, graceOf(taker))
}

// Nothing reports whether nothing is taken.
func (t *Taken) Nothing() bool { return len(t.Seats) == 0 && len(t.Namespaces) == 0 }

// Left returns the Grant as if it said only what is not taken from it.
func (t *Taken) Left(grant *v1alpha1.Grant) *v1alpha1.Grant {
	left := grant.DeepCopy()
	left.Spec.Seats = slices.DeleteFunc(left.Spec.Seats, func(seat v1alpha1.GrantedSeat) bool {
		_, taken := t.Seats[seat.Pool]
		return taken
	})
	left.Spec.Namespaces = slices.DeleteFunc(left.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool {
		_, taken := t.Namespaces[ns.Name]
		return taken
	})
	left.Spec.Objects = slices.DeleteFunc(left.Spec.Objects, func(object v1alpha1.GrantedObject) bool {
		_, taken := t.Namespaces[namespaceOf(&object)]
		return taken
	})
	return left
}

func namespaceOf(object *v1alpha1.GrantedObject) string {
	var partial struct {
		Metadata struct {
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if json.Unmarshal(object.Object.Raw, &partial) != nil {
		return ""
	}
	return partial.Metadata.Namespace
}
