// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// causeOf returns what a completion entitles to under a lifetime: the cause, with its earliest limit. What was recorded
// of it before says when it was sent first, also where the completion has been deleted and delivered again since.
func causeOf(
	completion *v1alpha1.CourseCompletion, lifetime v1alpha1.Lifetime, zone *time.Location, recorded *v1alpha1.GrantCause,
) v1alpha1.GrantCause {
	key := order.Of(&completion.Spec)
	first := completion.Spec.Event.First()
	if recorded != nil {
		if before := recorded.First(); before.Before(&first) {
			first = before
		}
	}
	cause := v1alpha1.GrantCause{
		Completion:  v1alpha1.LocalName(completion.Name),
		SendAt:      key.SendAt,
		SentAt:      metav1.NewTime(completion.Spec.Event.SentAt.UTC()),
		FirstSentAt: new(metav1.NewTime(first.UTC())),
		Digest:      key.Digest,
	}
	spec := &completion.Spec
	if !spec.Enrollment.Active() {
		end(&cause, spec.Event.SentAt.Time, v1alpha1.CauseEnrollmentInactive)
	}
	if lifetime.EnrollmentExpiry != v1alpha1.EnrollmentExpiryIgnore && spec.Enrollment.DateExpire != "" {
		if expiry, ends := EndOfDay(spec.Enrollment.DateExpire, zone); ends {
			end(&cause, expiry, v1alpha1.CauseEnrollmentExpired)
		}
	}
	if until, ends := untilOf(lifetime, zone); ends {
		end(&cause, until, v1alpha1.CauseUntilReached)
	}
	if lifetime.MaxDays > 0 {
		end(&cause, moment.After(first.Time, moment.Days(lifetime.MaxDays)), v1alpha1.CauseMaximumReached)
	}
	return cause
}

// end lets a cause end at a moment, unless it ends sooner already. The last moment that the API holds is no end: it is
// how "for ever" is said.
func end(cause *v1alpha1.GrantCause, at time.Time, why v1alpha1.CauseEnd) {
	// The API keeps whole seconds.
	at = at.UTC().Truncate(time.Second)
	if !at.Before(moment.Last) || cause.EndsAt != nil && !at.Before(cause.EndsAt.Time) {
		return
	}
	cause.EndsAt, cause.End = new(metav1.NewTime(at)), why
}

// untilOf returns when a lifetime ends by its until: a moment, or the end of a day in a zone.
func untilOf(lifetime v1alpha1.Lifetime, zone *time.Location) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339, lifetime.Until); err == nil {
		return at, true
	}
	return EndOfDay(lifetime.Until, zone)
}

// EndOfDay returns the first moment after a day, yyyy-MM-dd, in a zone. It reports false for what is no day, and for
// the last day of the calendar, which is how many platforms say that an enrollment never expires.
func EndOfDay(date string, zone *time.Location) (time.Time, bool) {
	last, err := time.ParseInLocation(time.DateOnly, date, time.UTC)
	next := last.AddDate(0, 0, 1)
	if err != nil || next.After(moment.Last) {
		return time.Time{}, false
	}
	midnight := time.Date(next.Year(), next.Month(), next.Day(), 0, 0, 0, 0, zone)
	if midnight.Day() != next.Day() {
		// Summer time began at this midnight, which so does not exist: the day starts at the transition.
		if _, transition := midnight.ZoneBounds(); !transition.IsZero() {
			return transition, true
		}
	}
	return midnight, true
}

// buried reports whether a recorded cause still stands against a delivery: it was withdrawn or archived, and the
// delivery is not newer than that. A late repetition so undoes nothing. Only the time counts here: the same delivery
// has another digest where the institution's privacy was changed meanwhile.
func buried(recorded *v1alpha1.GrantCause, delivery v1alpha1.GrantCause) bool {
	return recorded != nil && (recorded.End == v1alpha1.CauseWithdrawn || recorded.ArchivedAt != nil) &&
		delivery.SendAt <= recorded.SendAt
}

// ordered reports whether people ended a recorded cause, and not its limits: by deleting the completion, or by what
// they made of the policy.
func ordered(recorded *v1alpha1.GrantCause) bool {
	if recorded == nil {
		return false
	}
	switch recorded.End {
	case v1alpha1.CauseWithdrawn, v1alpha1.CauseNotMatched, v1alpha1.CausePolicyRemoved:
		return true
	}
	return false
}

// endNow lets a cause end at the latest now, for a reason that has nothing to do with its limits. Where the same
// reason was recorded before, the recorded moment stays, so that planning twice changes nothing.
func endNow(cause, recorded *v1alpha1.GrantCause, why v1alpha1.CauseEnd, now time.Time) {
	if recorded != nil && recorded.End == why && recorded.EndsAt != nil {
		cause.EndsAt, cause.End = recorded.EndsAt.DeepCopy(), why
		return
	}
	at := now.UTC().Truncate(time.Second)
	if cause.EndsAt != nil && cause.EndsAt.Time.Before(at) {
		at = cause.EndsAt.Time
	}
	cause.EndsAt, cause.End = new(metav1.NewTime(at)), why
}

// live reports whether a cause entitles at a moment.
func live(cause *v1alpha1.GrantCause, now time.Time) bool {
	return cause.EndsAt == nil || cause.EndsAt.After(now)
}
