// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// Transition is how the brake of an institution stands, and what has become of it just now.
type Transition struct {
	from, To lifecycle.BrakeState
	change   lifecycle.BrakeChange
	Held     int32
	// ignored reports that the annotation names no trip that could be released.
	ignored bool
}

// Evaluate works out how the brake of an institution stands by now. Nothing changes before Settle.
func (b *Brakes) Evaluate(ctx context.Context, institution *v1alpha1.Institution) (*Transition, error) {
	l := b.of(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	release := institution.Annotations[v1alpha1.AnnotationReleaseBrake]
	if !l.loaded && institution.Status.Brake == (v1alpha1.BrakeStatus{}) && release == "" {
		// It has never tripped. What counts is looked at once there is something to count.
		return &Transition{}, nil
	}
	if err := b.load(ctx, l, institution); err != nil {
		return nil, err
	}
	now := b.clock.Now()
	held, err := b.count(ctx, l, institution, now)
	if err != nil {
		return nil, err
	}
	s := &Transition{from: l.BrakeState, Held: held}
	s.To, s.change = s.from.Next(held, release, now)
	s.ignored = release != "" && release != s.To.Released && release != l.ignored
	l.ignored = release
	if s.change == lifecycle.BrakeOver {
		// At once: who is told by the status that it is over must not find it holding.
		l.BrakeState = s.To
	}
	return s, nil
}

// count returns how many Grants of an institution wait for the brake. It looks at the Grants, so that a restart does
// not take for nothing what has yet to be looked at.
func (b *Brakes) count(
	ctx context.Context, l *brake, institution *v1alpha1.Institution, now time.Time,
) (int32, error) {
	var grants v1alpha1.GrantList
	err := b.client.List(ctx, &grants, client.InNamespace(institution.Namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return 0, fmt.Errorf("list grants that wait for the brake: %w", err)
	}
	held, there := int32(0), map[refusal]bool{}
	for i := range grants.Items {
		grant := &grants.Items[i]
		if grant.Spec.Holder.InstitutionID != institution.Spec.ID {
			continue
		}
		waits := lifecycle.WaitsForBrake(grant, now)
		for _, kind := range revocationTypes {
			if refused := (refusal{grant.UID, kind}); l.refused[refused] {
				waits, there[refused] = true, true
			}
		}
		if waits {
			held++
		}
	}
	l.refused = there
	return held, nil
}

var revocationTypes = []v1alpha1.RevocationType{v1alpha1.RevocationAccessEnd, v1alpha1.RevocationNamespaces,
	v1alpha1.RevocationAccessChange, v1alpha1.RevocationEndForward}

// Show puts how the brake stands into the status of the institution.
func (s *Transition) Show(institution *v1alpha1.Institution, now time.Time) {
	before := institution.Status.Brake
	if s.To == (lifecycle.BrakeState{}) && before == (v1alpha1.BrakeStatus{}) {
		return
	}
	status := v1alpha1.BrakeStatus{Trip: s.To.Trip, ReleasedTrip: s.To.Released}
	if s.To.Trip != "" {
		status.TrippedAt, status.Held = new(metav1.NewTime(s.To.TrippedAt.UTC().Truncate(time.Second))), new(s.Held)
	}
	if s.To.Released != "" {
		status.ReleasedAt = new(metav1.NewMicroTime(s.To.ReleasedAt))
	}
	institution.Status.Brake = status
	condition := metav1.Condition{
		Type: v1alpha1.ConditionRevocationsPaused, ObservedGeneration: institution.Generation,
		LastTransitionTime: metav1.NewTime(now), Status: metav1.ConditionFalse,
	}
	switch {
	case s.To.Trip != "":
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonBudgetExceeded
		condition.Message = s.howToRelease(institution)
	case before.Trip == "":
		return
	case before.Trip == s.To.Released:
		condition.Reason, condition.Message = v1alpha1.ReasonReleased, "trip "+before.Trip+" was released"
	default:
		condition.Reason = v1alpha1.ReasonNothingHeld
		condition.Message = "trip " + before.Trip + " is over: no revocations are left"
	}
	meta.SetStatusCondition(&institution.Status.Conditions, condition)
}

func (s *Transition) howToRelease(institution *v1alpha1.Institution) string {
	return fmt.Sprintf("more revocations within an hour than spec.revocationBudget allows (%d): revocations of %d "+
		"grants are paused. If they are intended, release them: kubectl annotate institution %s -n %s --overwrite %s=%s",
		institution.Spec.Budget(), s.Held, institution.Name, institution.Namespace,
		v1alpha1.AnnotationReleaseBrake, s.To.Trip)
}

// Settle lets what was written down take effect, and returns what to tell people of it.
func (b *Brakes) Settle(institution *v1alpha1.Institution, s *Transition) []Event {
	l := b.of(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []Event
	if s.To.Trip != "" && l.told != s.To.Trip {
		l.told = s.To.Trip
		events = append(events,
			Event{corev1.EventTypeWarning, v1alpha1.ReasonBudgetExceeded, s.howToRelease(institution)})
	}
	if s.ignored {
		events = append(events, Event{corev1.EventTypeWarning, v1alpha1.ReasonReleaseIgnored, "the annotation " +
			v1alpha1.AnnotationReleaseBrake + " does not name the current trip: see status.brake.trip"})
	}
	switch s.change {
	case lifecycle.BrakeReleased:
		if l.Trip == s.from.Trip {
			l.BrakeState = s.To
		}
		events = append(events, Event{corev1.EventTypeNormal, v1alpha1.ReasonReleased,
			fmt.Sprintf("trip %s was released: the paused revocations of %d grants continue", s.from.Trip, s.Held)})
	case lifecycle.BrakeOver:
		events = append(events, Event{corev1.EventTypeNormal, v1alpha1.ReasonNothingHeld,
			"trip " + s.from.Trip + " is over: no revocations are left"})
	}
	return events
}

// Event is something about the brake that people are told once.
type Event struct{ Kind, Reason, Note string }
