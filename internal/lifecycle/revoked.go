// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// Revoked is what completions have revoked from a Grant.
type Revoked struct {
	// Seats are the seats taken, by pool.
	Seats map[v1alpha1.LocalName]Revoker
	// Namespaces are the namespaces taken, by name.
	Namespaces map[string]Revoker
	// Next is when a cause that keeps something ends, so that it is taken then; zero if none does.
	Next time.Time
}

// Revoker is who revokes one thing from a Grant.
type Revoker struct {
	// Grant is the name of the Grant that takes, and Completion the one that it takes because of.
	Grant      string
	Completion v1alpha1.LocalName
	// DataEndsAt is when a namespace is deleted, at the earliest; zero for a seat, and for a namespace that another Grant
	// has by now.
	DataEndsAt time.Time
}

// RevokedFrom works out what is revoked from a Grant by the Grants beside it, of which only those of the same holder
// count. What is taken because of a completion is taken from everything that is not later: a Grant keeps it if one of
// its causes is live and later in the order, and a Grant that a person made, if it was made after the completion. The
// Grants beside may include the Grant itself, for which the same holds.
func RevokedFrom(grant *v1alpha1.Grant, beside []v1alpha1.Grant, now time.Time) Revoked {
	revoked := Revoked{Seats: map[v1alpha1.LocalName]Revoker{}, Namespaces: map[string]Revoker{}}
	for i := range beside {
		if revoker := &beside[i]; revoker.Revokes() {
			revoked.seats(grant, revoker, now)
			revoked.namespaces(grant, revoker, beside, now)
		}
	}
	return revoked
}

func (t *Revoked) seats(grant, revoker *v1alpha1.Grant, now time.Time) {
	for _, seat := range grant.Spec.Seats {
		if !slices.Contains(revoker.Spec.Revokes.Seats, v1alpha1.RevokedSeat(seat)) {
			continue
		}
		verdict := judge(grant, revoker, RevocationKey(&revoker.Spec.Revokes), now)
		t.sooner(verdict.until)
		if other, found := t.Seats[seat.Pool]; verdict.revokes && (!found || revoker.Name < other.Grant) {
			t.Seats[seat.Pool] = Revoker{Grant: revoker.Name, Completion: revoker.Spec.Revokes.Completion}
		}
	}
}

func (t *Revoked) namespaces(grant, revoker *v1alpha1.Grant, beside []v1alpha1.Grant, now time.Time) {
	for i := range grant.Spec.Namespaces {
		name := grant.Spec.Namespaces[i].Name
		by, until := NamespaceRevoker(grant, revoker, name, now)
		t.sooner(until)
		if by == nil {
			by = passedOn(grant, revoker, beside, name, now)
		}
		other, found := t.Namespaces[name]
		if by != nil && (!found || cmp.Or(by.DataEndsAt.Compare(other.DataEndsAt),
			cmp.Compare(by.Grant, other.Grant)) < 0) {
			t.Namespaces[name] = *by
		}
	}
}

func (t *Revoked) sooner(at time.Time) {
	if !at.IsZero() && (t.Next.IsZero() || at.Before(t.Next)) {
		t.Next = at
	}
}

// Revocable reports whether a Grant lets completions revoke a namespace, by the label that it says for it. What it
// no longer says stays until the Grant ends.
func Revocable(grant *v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(grant.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool {
		return ns.Name == name && ns.Labels[v1alpha1.LabelRevocable] == grant.Spec.Holder.InstitutionID.String()
	})
}

// NamespaceRevoker works out whether one Grant revokes a namespace from another, nil if it does not; and when a cause
// that keeps it ends, zero if none does. It takes once its status says that this has begun.
func NamespaceRevoker(grant, revoker *v1alpha1.Grant, name string, now time.Time) (*Revoker, time.Time) {
	revokes := &revoker.Spec.Revokes
	started := startedOf(revoker, name)
	said := slices.Contains(revokes.Namespaces, v1alpha1.GrantRevokedNamespace{Name: name})
	if started == nil || !said || !Revocable(grant, name) {
		return nil, time.Time{}
	}
	// A later delivery takes anew, and has not begun to before the status says so.
	key := RevocationKey(revokes)
	if begun := (order.Key{SendAt: started.SendAt, Digest: started.Digest}); order.Compare(begun, key) < 0 {
		key = begun
	}
	verdict := judge(grant, revoker, key, now)
	if !verdict.revokes {
		return nil, verdict.until
	}
	ends := moment.After(started.At.Time, graceOf(revoker))
	// What was kept for a while counts from then, and has the grace days that its own Grant promises.
	if !verdict.retained.IsZero() {
		if later := moment.After(verdict.retained, max(graceOf(revoker), graceOf(grant))); later.After(ends) {
			ends = later
		}
	}
	return &Revoker{Grant: revoker.Name, Completion: revokes.Completion, DataEndsAt: ends}, verdict.until
}

// passedOn returns the revoker of a namespace that a Grant does not have any more, and that another Grant of the holder
// has by now and keeps, such as one of a new enrollment. As long as that one keeps it, nothing has begun: so it would
// seem that the first Grant is to have it again, and waits for it. Grants of one policy share it instead.
func passedOn(grant, revoker *v1alpha1.Grant, beside []v1alpha1.Grant, name string, now time.Time) *Revoker {
	revokes := &revoker.Spec.Revokes
	key := RevocationKey(revokes)
	if !slices.Contains(revokes.Namespaces, v1alpha1.GrantRevokedNamespace{Name: name}) || !Revocable(grant, name) ||
		hasNamespace(grant, name) || !judge(grant, revoker, key, now).revokes {
		return nil
	}
	for i := range beside {
		other := &beside[i]
		if other.Name != grant.Name && other.Spec.Holder == grant.Spec.Holder && other.Namespace == grant.Namespace &&
			!Alike(grant, other) && hasNamespace(other, name) && !judge(other, revoker, key, now).revokes {
			return &Revoker{Grant: revoker.Name, Completion: revokes.Completion}
		}
	}
	return nil
}

// hasNamespace reports whether a namespace is in the inventory of a Grant.
func hasNamespace(grant *v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(grant.Status.Inventory, func(e v1alpha1.InventoryEntry) bool {
		return e.Kind == "Namespace" && e.Name == name
	})
}

func graceOf(grant *v1alpha1.Grant) time.Duration {
	return moment.Days(grant.Spec.Lifetime.Grace())
}

// RevocationKey returns where a revocation stands in the order of deliveries.
func RevocationKey(revokes *v1alpha1.GrantRevocation) order.Key {
	return order.Key{SendAt: revokes.SendAt, Digest: revokes.Digest}
}

// judgement is whether one Grant takes from another.
type judgement struct {
	revokes bool
	// until is when what is not taken will be; zero if never.
	until time.Time
	// retained is until when what is taken was kept by a cause that is later; zero if there is none.
	retained time.Time
}

func judge(grant, revoker *v1alpha1.Grant, key order.Key, now time.Time) judgement {
	if grant.Spec.Holder != revoker.Spec.Holder || grant.Namespace != revoker.Namespace ||
		activeOr(revoker) == AwaitingApproval {
		return judgement{}
	}
	if !grant.Planned() {
		return judgement{revokes: !grant.CountsFrom().After(sentAtOf(&revoker.Spec.Revokes, key.SendAt))}
	}
	verdict := judgement{revokes: true}
	for i := range grant.Spec.Causes {
		cause := &grant.Spec.Causes[i]
		if order.Compare(CauseKey(*cause), key) <= 0 {
			continue
		}
		if cause.EndsAt == nil {
			return judgement{}
		}
		if cause.EndsAt.After(verdict.retained) {
			verdict.retained = cause.EndsAt.Time
		}
	}
	if verdict.retained.After(now) {
		return judgement{until: verdict.retained}
	}
	return verdict
}

func startedOf(revoker *v1alpha1.Grant, name string) *v1alpha1.NamespaceRevocation {
	for i := range revoker.Status.Revocations {
		if revoker.Status.Revocations[i].Name == name {
			return &revoker.Status.Revocations[i]
		}
	}
	return nil
}

// RevokesNow reports whether a Grant revokes anything now: one that waits for approval does not.
func RevokesNow(grant *v1alpha1.Grant) bool {
	return grant.Revokes() && activeOr(grant) != AwaitingApproval
}

// RevokesFrom reports whether a Grant revokes anything from another one.
func RevokesFrom(revoker, grant *v1alpha1.Grant, now time.Time) bool {
	revoked := RevokedFrom(grant, []v1alpha1.Grant{*revoker}, now)
	return len(revoked.Seats) > 0 || len(revoked.Namespaces) > 0
}

// Started returns what the status of a Grant is to say of the namespaces whose taking away has begun. The grace days
// count anew where a later delivery takes, and not where only the institution's privacy, and so the digest, has
// changed. Of what is kept nothing has begun.
func Started(grant *v1alpha1.Grant, now time.Time, kept ...string) []v1alpha1.NamespaceRevocation {
	revokes := &grant.Spec.Revokes
	started := make([]v1alpha1.NamespaceRevocation, 0, len(revokes.Namespaces))
	for _, ns := range revokes.Namespaces {
		if slices.Contains(kept, ns.Name) {
			continue
		}
		at := metav1.NewTime(now.UTC().Truncate(time.Second))
		if before := startedOf(grant, ns.Name); before != nil && before.SendAt == revokes.SendAt {
			at = before.At
		}
		started = append(started, v1alpha1.NamespaceRevocation{
			Name: ns.Name, SendAt: revokes.SendAt, Digest: revokes.Digest, At: at})
	}
	return started
}

// RevokedDataEnds returns when a namespace that no Grant made is deleted, at the earliest.
func RevokedDataEnds(revoker *v1alpha1.Grant, started v1alpha1.NamespaceRevocation) time.Time {
	return moment.After(started.At.Time, graceOf(revoker))
}

// Empty reports whether nothing is taken.
func (t *Revoked) Empty() bool { return len(t.Seats) == 0 && len(t.Namespaces) == 0 }

// Remaining returns the Grant as if it said only what is not taken from it.
func (t *Revoked) Remaining(grant *v1alpha1.Grant) *v1alpha1.Grant {
	left := grant.DeepCopy()
	left.Spec.Seats = slices.DeleteFunc(left.Spec.Seats, func(seat v1alpha1.GrantedSeat) bool {
		_, revoked := t.Seats[seat.Pool]
		return revoked
	})
	left.Spec.Namespaces = slices.DeleteFunc(left.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool {
		_, revoked := t.Namespaces[ns.Name]
		return revoked
	})
	left.Spec.Objects = slices.DeleteFunc(left.Spec.Objects, func(object v1alpha1.GrantedObject) bool {
		_, revoked := t.Namespaces[namespaceOf(&object)]
		return revoked
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

// CauseKey returns where a cause stands in the order of deliveries.
func CauseKey(cause v1alpha1.GrantCause) order.Key {
	return order.Key{SendAt: cause.SendAt, Digest: cause.Digest}
}

// CourseOf returns the course of a cause, which the name of the completion says, since the completion itself may have
// gone.
func CourseOf(cause *v1alpha1.GrantCause) v1alpha1.PlatformID {
	parts := strings.Split(string(cause.Completion), "-")
	if len(parts) != 4 {
		return 0
	}
	id, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0
	}
	return v1alpha1.PlatformID(id)
}
