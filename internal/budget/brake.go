// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package budget keeps the brake of each institution: what is to be revoked is put to it before anything is taken
// (brake.go), and the loop of Institutions writes how it stands, and lets go what people release (transition.go). The
// rules are those of package lifecycle. A restart loses what is in memory, and reads live what the statuses of Grants
// and Institutions record.
package budget

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

const (
	// brakeInterval is how often the cache is looked at for what counts. What this process admits counts at once, and
	// nobody else admits anything while it leads: this is for what another leader did right before.
	brakeInterval = time.Second
	// brakePage is how many Grants are listed at a time when the brake of an institution is first needed.
	brakePage = 500
)

// Brakes hold the brake of each institution. What is to be revoked is put to it one by one: many Grants are worked on
// at the same time, and the cache shows too late what was admitted.
type Brakes struct {
	// Institutions sets off the loop of Institutions, which tells people of trips.
	Institutions kube.Trigger[reconcile.Request]

	client client.Reader
	live   client.Reader
	clock  clock.PassiveClock

	mu            sync.Mutex
	byInstitution map[types.UID]*brake
}

// brake is the brake of one institution.
type brake struct {
	institution client.ObjectKey

	mu sync.Mutex
	lifecycle.Brake
	loaded bool
	// looked is when the cache was looked at last.
	looked time.Time
	// refused is what was told to wait, and has not been found since to be wanted no more.
	refused map[refusal]bool
	// told is what people have been told of by an event: a trip, and a value that releases nothing.
	told, ignored string
}

type refusal struct {
	grant types.UID
	kind  v1alpha1.RevocationType
}

// New returns the brakes of all institutions, none of which has been asked yet.
func New(c, live client.Reader, now clock.PassiveClock) *Brakes {
	return &Brakes{client: c, live: live, clock: now, byInstitution: map[types.UID]*brake{}}
}

func (b *Brakes) of(institution *v1alpha1.Institution) *brake {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, found := b.byInstitution[institution.UID]
	if !found {
		l = &brake{institution: client.ObjectKeyFromObject(institution), refused: map[refusal]bool{}}
		b.byInstitution[institution.UID] = l
	}
	return l
}

// Forget forgets the brake of an institution that is gone.
func (b *Brakes) Forget(institution client.ObjectKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for uid, l := range b.byInstitution {
		if l.institution == institution {
			delete(b.byInstitution, uid)
		}
	}
}

// Ask puts a revocation of a Grant to the brake. The answer is to be written down before anything is taken.
func (b *Brakes) Ask(
	ctx context.Context, institution *v1alpha1.Institution, grant *v1alpha1.Grant, r lifecycle.Revocation,
) (lifecycle.Answer, string, error) {
	l := b.of(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := b.clock.Now()
	if err := b.prepare(ctx, l, institution, now); err != nil {
		return lifecycle.Paused, "", err
	}
	answer := l.Ask(string(grant.UID), r, institution.Spec.Budget(), now)
	refused := refusal{grant.UID, r.Type}
	switch answer {
	case lifecycle.Exhausted:
		l.Trips(tripName(now), now)
		l.refused[refused] = true
		b.tell(institution, 0)
		return lifecycle.Paused, "", nil
	case lifecycle.Paused:
		if !l.refused[refused] {
			l.refused[refused] = true
			b.tell(institution, kube.CountInterval)
		}
		return answer, "", nil
	}
	b.unblock(l, institution, refused)
	if answer == lifecycle.Free {
		return answer, l.Released, nil
	}
	return answer, "", nil
}

func (b *Brakes) unblock(l *brake, institution *v1alpha1.Institution, refused refusal) {
	if l.refused[refused] {
		delete(l.refused, refused)
		b.tell(institution, kube.CountInterval)
	}
}

// TakeBack forgets what was counted and then, for certain, not written down.
func (b *Brakes) TakeBack(institution *v1alpha1.Institution, grant *v1alpha1.Grant, r lifecycle.Revocation) {
	l := b.of(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.TakeBack(string(grant.UID), r)
}

// Unrecorded notes that what was counted could not be written down, because the Grant had changed.
func (b *Brakes) Unrecorded(institution *v1alpha1.Institution, grant *v1alpha1.Grant, r lifecycle.Revocation) {
	l := b.of(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Unrecorded(string(grant.UID), r)
}

// Passed notes that a Grant was looked at and that nothing of this type waits for the brake.
func (b *Brakes) Passed(institution *v1alpha1.Institution, grant types.UID, kind v1alpha1.RevocationType) {
	l := b.of(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Passes(string(grant), kind)
	b.unblock(l, institution, refusal{grant, kind})
}

// prepare brings a brake up to what is recorded.
func (b *Brakes) prepare(ctx context.Context, l *brake, institution *v1alpha1.Institution, now time.Time) error {
	if err := b.load(ctx, l, institution); err != nil {
		return err
	}
	// The Grants are set off by what the cache shows of a release, which may be before the other loop has gone on.
	recorded := stateOf(&institution.Status.Brake)
	if l.Trip != "" && recorded.Released == l.Trip {
		l.BrakeState = recorded
	}
	if since := now.Sub(l.looked); since >= 0 && since < brakeInterval {
		return nil
	}
	var grants v1alpha1.GrantList
	err := b.client.List(ctx, &grants, client.InNamespace(institution.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{index.Admitted: institution.Spec.ID.String()})
	if err != nil {
		return fmt.Errorf("list revocations: %w", err)
	}
	for i := range grants.Items {
		l.Note(string(grants.Items[i].UID), grants.Items[i].Status.Admissions, now)
	}
	l.looked = now
	return nil
}

// load reads what another process has recorded, live and once: the cache of a standby may lag behind the last that the
// leader before it did.
func (b *Brakes) load(ctx context.Context, l *brake, institution *v1alpha1.Institution) error {
	if l.loaded {
		return nil
	}
	current, err := kube.LiveInstitution(ctx, b.live, institution)
	if err != nil {
		return fmt.Errorf("get the state of the brake: %w", err)
	}
	if current != nil {
		l.BrakeState = stateOf(&current.Status.Brake)
		l.told = l.Trip
	}
	now := b.clock.Now()
	page := client.ListOptions{Namespace: institution.Namespace, Limit: brakePage}
	for {
		var grants v1alpha1.GrantList
		if err := b.live.List(ctx, &grants, &page); err != nil {
			return fmt.Errorf("list revocations: %w", err)
		}
		for i := range grants.Items {
			if grants.Items[i].Spec.Holder.InstitutionID == institution.Spec.ID {
				l.Note(string(grants.Items[i].UID), grants.Items[i].Status.Admissions, now)
			}
		}
		if page.Continue = grants.Continue; page.Continue == "" {
			break
		}
	}
	l.loaded = true
	return nil
}

func stateOf(status *v1alpha1.BrakeStatus) lifecycle.BrakeState {
	state := lifecycle.BrakeState{Trip: status.Trip, Released: status.ReleasedTrip}
	if status.TrippedAt != nil {
		state.TrippedAt = status.TrippedAt.Time
	}
	if status.ReleasedAt != nil {
		state.ReleasedAt = status.ReleasedAt.Time
	}
	return state
}

// tripName returns a name for a trip that says when it was and that nobody guesses: an annotation that was written for
// another one, or by habit, releases nothing.
func tripName(now time.Time) string {
	return now.UTC().Format("20060102-1504-") + strings.ToLower(rand.Text()[:8])
}

// tell has the loop of the institutions look at one, after a while, so that a thousand Grants that are held cost one
// write.
func (b *Brakes) tell(institution *v1alpha1.Institution, after time.Duration) {
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(institution)}
	if after == 0 {
		b.Institutions.Now(request)
		return
	}
	b.Institutions.After(request, after)
}
