// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

const (
	// brakeWindow is the hour that the budget of revocations is about.
	brakeWindow = time.Hour
	// noticed is how long before it falls due an end has to be known in order not to count.
	noticed = moment.Day
)

// Revocation is something to be revoked that nobody ordered for this very Grant, and that was not known for long:
// it counts against the institution's budget.
type Revocation struct {
	// Type is what is revoked.
	Type v1alpha1.RevocationType
	// Of tells it from another one of the same Grant.
	Of string
	// Known is since when the operator knows of it.
	Known time.Time
}

// EndRevocation returns the revocation that the end of a Grant's access is. It is meant for an end that is held. The
// same end is another one where it was taken back meanwhile: what was let through before lets no repeated edit pass.
func EndRevocation(grant *v1alpha1.Grant) Revocation {
	at := grant.Spec.AccessEndsAt
	if at == nil {
		return Revocation{Type: v1alpha1.RevocationAccessEnd}
	}
	r := Revocation{Type: v1alpha1.RevocationAccessEnd, Of: at.UTC().Format(time.RFC3339), Known: at.Time}
	if grant.Spec.EndKnownAt != nil {
		r.Known = grant.Spec.EndKnownAt.Time
		r.Of += " known " + r.Known.UTC().Format(metav1.RFC3339Micro)
	}
	return r
}

// gives reports whether a Grant gives access: what has ended, was never approved or says nothing gives none. What is
// recorded to be in place does not decide that: it is lost where a backup was restored, which is when the brake is
// needed most.
func gives(grant *v1alpha1.Grant) bool {
	return HasAccess(grant) && activeOr(grant) == Active
}

// HasAccess reports whether there may be access of a Grant to be taken: it says or has something, and none was taken.
func HasAccess(grant *v1alpha1.Grant) bool {
	says := len(grant.Spec.Namespaces) + len(grant.Spec.Seats) + len(grant.Spec.Objects) + len(grant.Status.Inventory)
	return says > 0 && grant.Status.AccessEndedAt == nil
}

// endWaitsForBrake reports whether the end of a Grant's access, which has come, waits for the brake. What a person
// ordered in the Grant does not: its override, and all of a Grant that was made by hand.
func endWaitsForBrake(grant *v1alpha1.Grant) bool {
	ends, known := grant.Spec.AccessEndsAt, grant.Spec.EndKnownAt
	ordered := !grant.Planned() || revoked(grant) || grant.Spec.Override.Until != nil
	if ends == nil || ordered || !gives(grant) {
		return false
	}
	if known != nil && ends.Sub(known.Time) >= noticed && !ForwardWaits(grant) {
		return false
	}
	return !Admitted(grant, EndRevocation(grant))
}

// WaitsForBrake reports whether a Grant waits for the brake, by what it records.
func WaitsForBrake(grant *v1alpha1.Grant, now time.Time) bool {
	told := func(c metav1.Condition) bool { return c.Reason == v1alpha1.ReasonRevocationPaused }
	return StateOf(grant, now).Paused || ForwardWaits(grant) || slices.ContainsFunc(grant.Status.Conditions, told)
}

// Admitted reports whether the brake has let a revocation through.
func Admitted(grant *v1alpha1.Grant, r Revocation) bool {
	for _, admission := range grant.Status.Admissions {
		if admission.Type == r.Type && admission.Of == r.Of {
			return true
		}
	}
	return false
}

// Admit notes in a Grant that the brake has let a revocation through, and by which released trip, if it was one.
func Admit(grant *v1alpha1.Grant, r Revocation, at time.Time, releasedTrip string) {
	admission := v1alpha1.RevocationAdmission{
		Type: r.Type, Of: r.Of, At: metav1.NewMicroTime(at.UTC().Truncate(time.Microsecond)), ReleasedTrip: releasedTrip}
	for i := range grant.Status.Admissions {
		if grant.Status.Admissions[i].Type == r.Type {
			grant.Status.Admissions[i] = admission
			return
		}
	}
	grant.Status.Admissions = append(grant.Status.Admissions, admission)
}

// BrakeState is what has to outlast a restart, beside the admissions, which are in the Grants.
type BrakeState struct {
	// Trip names the occasion on which the budget was used up; empty while nothing is paused.
	Trip      string
	TrippedAt time.Time
	// Released is the trip that was released last, and when.
	Released   string
	ReleasedAt time.Time
}

// Brake decides which revocations of one institution go on. It is not safe for concurrent use.
type Brake struct {
	BrakeState
	counted map[countedKey]counted
	// waiting is what had to wait, and since when: a clock that was ahead may have dated it after a release.
	waiting map[countedKey]counted
}

type countedKey struct {
	grant string
	kind  v1alpha1.RevocationType
}

type counted struct {
	of string
	at time.Time
	// unrecorded tells that the Grant had changed when it was to be written down: it is asked for again, or wanted no
	// more.
	unrecorded bool
}

// Answer is what the brake says to a revocation.
type Answer int

const (
	// Paused means that it has to wait.
	Paused Answer = iota
	// Exhausted means that it has to wait, and that the brake has just tripped: the caller names the trip.
	Exhausted
	// Counted means that it may go on, and counts.
	Counted
	// Free means that it may go on and does not count, since a person released it.
	Free
)

// Ask asks whether a revocation of a Grant, told by something unique, may go on. One that was counted is not counted
// again: the answer may have been lost on its way to the Grant's status.
func (b *Brake) Ask(grant string, r Revocation, budget int32, now time.Time) Answer {
	key := countedKey{grant, r.Type}
	before, again := b.counted[key]
	switch {
	case again && before.of == r.Of:
		before.unrecorded = false
		b.counted[key] = before
		return Counted
	case again && before.unrecorded:
		delete(b.counted, key)
		return b.Ask(grant, r, budget, now)
	case b.released(b.knownSince(key, r), now):
		delete(b.waiting, key)
		return Free
	case b.Trip != "":
		b.waits(key, r, now)
		return Paused
	}
	b.prune(now)
	if b.others(key) >= int(budget) {
		b.waits(key, r, now)
		return Exhausted
	}
	b.note(key, counted{of: r.Of, at: now})
	delete(b.waiting, key)
	return Counted
}

// others returns how many other revocations count against the same budget: ends that are brought forward have one of
// their own.
func (b *Brake) others(key countedKey) int {
	forward := func(kind v1alpha1.RevocationType) bool { return kind == v1alpha1.RevocationEndForward }
	others := 0
	for other := range b.counted {
		if other != key && forward(other.kind) == forward(key.kind) {
			others++
		}
	}
	return others
}

// waits notes that a revocation had to wait, the first time.
func (b *Brake) waits(key countedKey, r Revocation, now time.Time) {
	if b.waiting == nil {
		b.waiting = map[countedKey]counted{}
	}
	if before, found := b.waiting[key]; !found || before.of != r.Of || now.Before(before.at) {
		b.waiting[key] = counted{of: r.Of, at: now}
	}
}

// knownSince returns since when a revocation is known: since it had to wait at the latest.
func (b *Brake) knownSince(key countedKey, r Revocation) time.Time {
	if waited, found := b.waiting[key]; found && waited.of == r.Of && waited.at.Before(r.Known) {
		return waited.at
	}
	return r.Known
}

// released reports whether a moment is not after the last release. One that is yet to come was dated by a clock that
// was ahead, and would let everything go until then.
func (b *Brake) released(at, now time.Time) bool {
	return b.Released != "" && !b.ReleasedAt.After(now) && !at.After(b.ReleasedAt)
}

// Passes forgets that a revocation of a Grant waits, or was counted and not recorded: it is wanted no more.
func (b *Brake) Passes(grant string, kind v1alpha1.RevocationType) {
	key := countedKey{grant, kind}
	delete(b.waiting, key)
	if b.counted[key].unrecorded {
		delete(b.counted, key)
	}
}

// Unrecorded notes that a revocation was counted and then, for certain, not written down, since the Grant had changed.
// Its place is kept until it is asked for again: others that trip the brake meanwhile do not get it for nothing.
func (b *Brake) Unrecorded(grant string, r Revocation) {
	key := countedKey{grant, r.Type}
	if c := b.counted[key]; c.of == r.Of {
		c.unrecorded = true
		b.counted[key] = c
	}
}

// TakeBack forgets a revocation that was counted and then, for certain, not recorded, of a Grant that is gone.
func (b *Brake) TakeBack(grant string, r Revocation) {
	key := countedKey{grant, r.Type}
	if b.counted[key].of == r.Of {
		delete(b.counted, key)
	}
}

// Note counts what a Grant records to have been admitted.
func (b *Brake) Note(grant string, admissions []v1alpha1.RevocationAdmission, now time.Time) {
	for _, admission := range admissions {
		at := admission.At.Time
		if admission.ReleasedTrip != "" || b.outside(at, now) {
			continue
		}
		b.note(countedKey{grant, admission.Type}, counted{of: admission.Of, at: at})
	}
}

func (b *Brake) note(key countedKey, c counted) {
	if b.counted == nil {
		b.counted = map[countedKey]counted{}
	}
	// What the cache shows may be older than what was counted here.
	if b.counted[key].at.Before(c.at) {
		b.counted[key] = c
	}
}

// outside reports whether an admission no longer counts: an hour has passed, or a person looked and released since.
func (b *Brake) outside(at, now time.Time) bool {
	return now.Sub(at) >= brakeWindow || b.released(at, now)
}

func (b *Brake) prune(now time.Time) {
	for key, c := range b.counted {
		if b.outside(c.at, now) {
			delete(b.counted, key)
		}
	}
}

// Trips lets the brake hold everything that counts.
func (b *Brake) Trips(name string, now time.Time) {
	b.Trip, b.TrippedAt = name, now
}

// BrakeChange is what has become of a trip.
type BrakeChange int

const (
	// BrakeUnchanged means that nothing has changed.
	BrakeUnchanged BrakeChange = iota
	// BrakeReleased means that a person released it.
	BrakeReleased
	// BrakeOver means that it is over by itself: nothing is held any more.
	BrakeOver
)

// Next works out what becomes of a brake that holds so many Grants, and for which a person asked to release a trip.
func (s BrakeState) Next(heldGrants int32, release string, now time.Time) (BrakeState, BrakeChange) {
	switch {
	case s.Trip == "":
		return s, BrakeUnchanged
	case release == s.Trip:
		return BrakeState{Released: s.Trip, ReleasedAt: now.UTC().Truncate(time.Microsecond)}, BrakeReleased
	case heldGrants == 0:
		return BrakeState{Released: s.Released, ReleasedAt: s.ReleasedAt}, BrakeOver
	}
	return s, BrakeUnchanged
}

// ForwardRevocation returns the revocation that it is to bring the end of a Grant forward.
func ForwardRevocation(grant *v1alpha1.Grant) Revocation {
	forward, ends := grant.Spec.EndBroughtForward, grant.Spec.AccessEndsAt
	if forward == nil || ends == nil {
		return Revocation{Type: v1alpha1.RevocationEndForward}
	}
	return Revocation{Type: v1alpha1.RevocationEndForward, Known: forward.At.Time,
		Of: ends.UTC().Format(time.RFC3339) + " known " + forward.At.UTC().Format(metav1.RFC3339Micro)}
}

// ForwardWaits reports whether a delivery brought the end of a Grant forward, to a day after it was known or later, and
// the brake has not let that through. A sooner end counts when it falls due.
func ForwardWaits(grant *v1alpha1.Grant) bool {
	ends, known := grant.Spec.AccessEndsAt, grant.Spec.EndKnownAt
	if grant.Spec.EndBroughtForward == nil || ends == nil || known == nil || ends.Sub(known.Time) < noticed {
		return false
	}
	ordered := !grant.Planned() || revoked(grant) || grant.Spec.Override.Until != nil
	return !ordered && gives(grant) && !Admitted(grant, ForwardRevocation(grant))
}

// AccessChange is a change of who has access to the namespaces of a Grant.
type AccessChange struct {
	// Digest tells it from another one.
	Digest string
	// Known is since when it is known.
	Known time.Time
}

// AccessChangeOf returns the change to what a Grant says now. The same one is known since the status records it.
func AccessChangeOf(grant *v1alpha1.Grant, now time.Time) (AccessChange, error) {
	type access struct {
		Namespace string
		Access    []v1alpha1.GrantedAccess
	}
	said := make([]access, 0, len(grant.Spec.Namespaces))
	for i := range grant.Spec.Namespaces {
		said = append(said, access{grant.Spec.Namespaces[i].Name, grant.Spec.Namespaces[i].Access})
	}
	text, err := json.Marshal(said)
	if err != nil {
		return AccessChange{}, fmt.Errorf("encode who has access: %w", err)
	}
	sum := sha256.Sum256(text)
	change := AccessChange{Digest: hex.EncodeToString(sum[:16]), Known: now.UTC().Truncate(time.Microsecond)}
	if known := grant.Status.AccessChangeKnownAt; known != nil && grant.Status.AccessChangeDigest == change.Digest {
		change.Known = known.Time
	}
	return change, nil
}

// Record writes down in the status of a Grant that the change waits for the brake; the zero value, that none does.
func (c AccessChange) Record(status *v1alpha1.GrantStatus) {
	status.AccessChangeDigest, status.AccessChangeKnownAt = c.Digest, nil
	if c.Digest != "" {
		status.AccessChangeKnownAt = new(metav1.NewMicroTime(c.Known))
	}
}

// Revocation returns the revocation that the change is.
func (c AccessChange) Revocation() Revocation {
	return Revocation{Type: v1alpha1.RevocationAccessChange, Known: c.Known,
		Of: c.Digest + " known " + c.Known.UTC().Format(metav1.RFC3339Micro)}
}
