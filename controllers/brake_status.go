// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

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

// stance is how the brake of an institution stands, and what has become of it just now.
type stance struct {
	from, to lifecycle.BrakeState
	change   lifecycle.BrakeChange
	held     int32
	// ignored reports that the annotation names no trip that could be released.
	ignored bool
}

// stand works out how the brake of an institution stands by now. Nothing changes before settle.
func (b *brakes) stand(ctx context.Context, institution *v1alpha1.Institution) (*stance, error) {
	l := b.lane(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	release := institution.Annotations[v1alpha1.AnnotationReleaseBrake]
	if !l.loaded && institution.Status.Brake == (v1alpha1.BrakeStatus{}) && release == "" {
		// It has never tripped. What counts is looked at once there is something to count.
		return &stance{}, nil
	}
	if err := b.load(ctx, l, institution); err != nil {
		return nil, err
	}
	now := b.clock.Now()
	held, err := b.count(ctx, l, institution, now)
	if err != nil {
		return nil, err
	}
	s := &stance{from: l.BrakeState, held: held}
	s.to, s.change = s.from.Next(held, release, now)
	s.ignored = release != "" && release != s.to.Released && release != l.ignored
	l.ignored = release
	if s.change == lifecycle.BrakeOver {
		// At once: who is told by the status that it is over must not find it holding.
		l.BrakeState = s.to
	}
	return s, nil
}

// count returns how many Grants of an institution wait for the brake. It looks at the Grants, so that a restart does
// not take for nothing what has yet to be looked at.
func (b *brakes) count(
	ctx context.Context, l *lane, institution *v1alpha1.Institution, now time.Time,
) (int32, error) {
	var grants v1alpha1.GrantList
	err := b.client.List(ctx, &grants, client.InNamespace(institution.Namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return 0, fmt.Errorf("list the grants that wait for the brake: %w", err)
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

// show puts how the brake stands into the status of the institution.
func (s *stance) show(institution *v1alpha1.Institution, now time.Time) {
	before := institution.Status.Brake
	if s.to == (lifecycle.BrakeState{}) && before == (v1alpha1.BrakeStatus{}) {
		return
	}
	status := v1alpha1.BrakeStatus{Trip: s.to.Trip, ReleasedTrip: s.to.Released}
	if s.to.Trip != "" {
		status.TrippedAt, status.Held = new(metav1.NewTime(s.to.TrippedAt.UTC().Truncate(time.Second))), new(s.held)
	}
	if s.to.Released != "" {
		status.ReleasedAt = new(metav1.NewMicroTime(s.to.ReleasedAt))
	}
	institution.Status.Brake = status
	condition := metav1.Condition{
		Type: v1alpha1.ConditionRevocationsPaused, ObservedGeneration: institution.Generation,
		LastTransitionTime: metav1.NewTime(now), Status: metav1.ConditionFalse,
	}
	switch {
	case s.to.Trip != "":
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonBudgetExceeded
		condition.Message = s.howToRelease(institution)
	case before.Trip == "":
		return
	case before.Trip == s.to.Released:
		condition.Reason, condition.Message = v1alpha1.ReasonReleased, "trip "+before.Trip+" was released"
	default:
		condition.Reason = v1alpha1.ReasonNothingHeld
		condition.Message = "trip " + before.Trip + " is over: nothing is left to be revoked"
	}
	meta.SetStatusCondition(&institution.Status.Conditions, condition)
}

func (s *stance) howToRelease(institution *v1alpha1.Institution) string {
	return fmt.Sprintf("more grants were to be revoked within an hour than spec.revocationBudget (%d): %d keep what is "+
		"to be taken away. If it is wanted, let it go: kubectl annotate institution %s -n %s --overwrite %s=%s",
		institution.Spec.Budget(), s.held, institution.Name, institution.Namespace,
		v1alpha1.AnnotationReleaseBrake, s.to.Trip)
}

// settle lets what was written down take effect, and returns what to tell people of it.
func (b *brakes) settle(institution *v1alpha1.Institution, s *stance) []brakeEvent {
	l := b.lane(institution)
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []brakeEvent
	if s.to.Trip != "" && l.told != s.to.Trip {
		l.told = s.to.Trip
		events = append(events,
			brakeEvent{corev1.EventTypeWarning, v1alpha1.ReasonBudgetExceeded, s.howToRelease(institution)})
	}
	if s.ignored {
		events = append(events, brakeEvent{corev1.EventTypeWarning, v1alpha1.ReasonReleaseIgnored, "the annotation " +
			v1alpha1.AnnotationReleaseBrake + " does not name a trip that pauses revocations now: see status.brake.trip"})
	}
	switch s.change {
	case lifecycle.BrakeReleased:
		if l.Trip == s.from.Trip {
			l.BrakeState = s.to
		}
		events = append(events, brakeEvent{corev1.EventTypeNormal, v1alpha1.ReasonReleased,
			fmt.Sprintf("trip %s was released: what %d grants kept goes now", s.from.Trip, s.held)})
	case lifecycle.BrakeOver:
		events = append(events, brakeEvent{corev1.EventTypeNormal, v1alpha1.ReasonNothingHeld,
			"trip " + s.from.Trip + " is over: nothing is left to be revoked"})
	}
	return events
}

// brakeEvent is something about the brake that people are told once.
type brakeEvent struct{ kind, reason, note string }
