// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

const (
	// maxAhead is how far the sending of a delivery may lie ahead, as at the webhook server: clocks differ.
	maxAhead = 2 * moment.Day
	// zones is how far the text of a moment may be from the moment in UTC.
	zones = 14 * time.Hour
)

// inRange returns when a completion was sent no longer too far ahead: before then, nothing is planned because of it,
// since every true delivery would be older. The text counts as well, because deliveries are put in order by it.
func inRange(spec *v1alpha1.CourseCompletionSpec) time.Time {
	from := spec.Event.SentAt.Add(-maxAhead)
	if text, err := time.ParseInLocation(time.DateTime, spec.Event.SendAt, time.UTC); err == nil {
		from = moment.Later(from, text.Add(-maxAhead-zones))
	}
	return from
}

// InRange returns from when on a completion grants something: before then it says that it was sent too far ahead.
func InRange(spec *v1alpha1.CourseCompletionSpec) time.Time { return inRange(spec) }

// ahead reports whether a completion was sent too far ahead to be planned.
func (p *planning) ahead(completion *v1alpha1.CourseCompletion) bool {
	return p.Now.Before(inRange(&completion.Spec))
}

// inRange returns the candidates that were not sent too far ahead. Of the others a Grant keeps what it recorded.
func (p *planning) inRange(candidates []candidate) []candidate {
	return slices.DeleteFunc(slices.Clone(candidates), func(c candidate) bool { return p.ahead(c.completion) })
}

// lookAhead has the person planned again once the first completion is no longer too far ahead.
func (p *planning) lookAhead(plan *Plan) {
	for i := range p.Completions {
		if !p.ahead(&p.Completions[i]) {
			continue
		}
		if at := inRange(&p.Completions[i].Spec); plan.Next.IsZero() || at.Before(plan.Next) {
			plan.Next = at
		}
	}
}

func tooFarAhead(spec *v1alpha1.CourseCompletionSpec) condition.Verdict {
	return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonSentInFuture, Message: fmt.Sprintf(
		"sent at %s, more than 48 hours in the future: it has no effect before %s; if the time is wrong, delete the "+
			"completion and have the platform deliver it again",
		spec.Event.SendAt, inRange(spec).UTC().Format(time.RFC3339))}
}
