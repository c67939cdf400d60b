// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// text returns a moment as people read it, with its zone.
func text(at time.Time) string { return at.Format("2006-01-02 15:04:05 MST") }

// answerOf says in one sentence, which goes on after who it is about, what a Grant means for its holder.
func (r *reader) answerOf(g *v1alpha1.Grant, told *grant) string {
	switch told.Access {
	case accessAll:
		return "has access by grant " + g.Name + r.until(g, told)
	case accessPart:
		return "has only a part of what grant " + g.Name + " gives: it " + waitsFor(told)
	}
	decision := lifecycle.Foresee(g, r.now)
	switch {
	case decision.Phase == v1alpha1.GrantAwaitingApproval:
		return "has no access: grant " + g.Name + " awaits approval by a person"
	case decision.Phase == v1alpha1.GrantRevoked:
		return "has no access: a person revoked grant " + g.Name + ": " + g.Spec.Override.Reason
	case decision.Action == lifecycle.EndAccess:
		return "has no access: grant " + g.Name + " ended at " + text(told.End.At) + ": " + told.End.Message
	case told.Reason == v1alpha1.ReasonRevokedByCompletion:
		return "has no access: revoked of grant " + g.Name + ": " + strings.Join(told.Revoked, "; ")
	case plan.Blank(g) && g.Revokes():
		return onlyRevokes + g.Name + ", which only revokes: " + strings.Join(told.Revokes, "; ")
	}
	return "has no access yet: grant " + g.Name + " " + waitsFor(told)
}

// until says how long access lasts.
func (r *reader) until(g *v1alpha1.Grant, told *grant) string {
	suffix := ""
	if g.Status.Phase == v1alpha1.GrantSuspended {
		suffix = "; the institution is suspended: nothing is granted or revoked"
	}
	switch {
	case lifecycle.Foresee(g, r.now).Asks(v1alpha1.RevocationAccessEnd):
		return " still: the brake of the institution pauses its end, due at " + text(told.End.At) + suffix
	case told.End.At.IsZero():
		return ", which does not end by itself" + suffix
	}
	return " until " + text(told.End.At) + " (" + told.End.Message + ")" + suffix
}

// waitsFor says why a Grant is not in place.
func waitsFor(told *grant) string {
	for _, seat := range told.Seats {
		if seat.Number == nil && (told.Reason == v1alpha1.ReasonWaitingForSeat || told.Reason == v1alpha1.ReasonPoolMissing) {
			return "waits for a seat of pool " + seat.Pool + ": " + seat.Message
		}
	}
	if told.Reason == "" {
		return "is being put in place"
	}
	return fmt.Sprintf("is %s: %s: %s", cmp.Or(told.Phase, v1alpha1.GrantPending), told.Reason, told.Message)
}

// The order of Grants in the answer: what the holder has, what is on its way, what is over, and what only revokes.
const (
	has = iota
	hasPart
	comes
	over
	revokesOnly
)

func rank(told *grant) int {
	switch {
	case told.Access == accessAll:
		return has
	case told.Access == accessPart:
		return hasPart
	case strings.HasPrefix(told.Answer, onlyRevokes):
		return revokesOnly
	case told.Phase == v1alpha1.GrantEnded || told.Phase == v1alpha1.GrantRevoked:
		return over
	}
	return comes
}

const onlyRevokes = "gets nothing by grant "

// most is how many Grants an answer speaks of.
const most = 3

// answer says in one sentence whether a person has access, and why.
func (s *story) answer(f *facts) string {
	grants := slices.Clone(s.Grants)
	slices.SortStableFunc(grants, func(a, b grant) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), b.End.At.Compare(a.End.At))
	})
	var said []string
	for i := range grants {
		// What is over says nothing beside what is not.
		if i > 0 && (rank(&grants[i]) >= over || len(said) == most) {
			break
		}
		clause := grants[i].Answer
		if i > 0 && rank(&grants[i]) == comes {
			clause = "grant " + grants[i].Name + " " + waitsFor(&grants[i])
			if grants[i].Phase == v1alpha1.GrantAwaitingApproval {
				clause = "grant " + grants[i].Name + " awaits approval by a person"
			}
		}
		said = append(said, clause)
	}
	if len(said) > 0 {
		return strings.Join(said, "; ")
	}
	return s.withoutGrants(f)
}

// withoutGrants says why somebody has no Grant at all.
func (s *story) withoutGrants(f *facts) string {
	const no = "has no access: "
	switch {
	case len(f.completions) == 0 && !f.erasedAt.IsZero():
		return no + "their data was erased at " + text(f.in(f.erasedAt)) + "; what was sent until then is not stored again"
	case len(f.completions) == 0 && len(f.deliveries) > 0:
		last := f.deliveries[len(f.deliveries)-1]
		return fmt.Sprintf("%sno completion is stored; the last delivery, %s, was answered %d %s at %s", no, last.ID,
			last.Status, last.Outcome, text(f.in(last.At)))
	case len(f.completions) == 0:
		return no + "no completion is stored: none was delivered, it waits in an inbox (kubectl course inbox list), or it " +
			"was deleted since"
	case f.problem != "":
		return no + f.problem
	case len(s.Policies) == 0:
		return no + "there is no policy in the namespace"
	}
	best := s.nearest()
	more := ""
	if others := len(s.Policies) - 1; others > 0 {
		more = " (1 more policy below)"
		if others > 1 {
			more = fmt.Sprintf(" (%d more policies below)", others)
		}
	}
	return no + "policy " + best.Name + " " + strings.TrimPrefix(best.Message, "the policy ") + more
}

// nearest returns the policy that came nearest to granting something.
func (s *story) nearest() *policy {
	order := []outcome{outcomeFailed, outcomePending, outcomeNotReady, outcomeSuspended, outcomeMissing, outcomeNotGranted,
		outcomeGranted, outcomeNotMatched}
	far := func(p *policy) int {
		place := 2 * slices.Index(order, p.Outcome)
		if slices.ContainsFunc(p.Completions, func(c considered) bool { return !c.OtherCourse }) {
			return place
		}
		return place + 1
	}
	best := &s.Policies[0]
	for i := range s.Policies {
		if p := &s.Policies[i]; far(p) < far(best) {
			best = p
		}
	}
	return best
}

// sentence says the answer of a story about the target.
func (s *story) sentence(asked target, f *facts) string {
	who := fmt.Sprintf("User %d ", s.User)
	switch {
	case asked.kind == kindCompletion && f.stored(asked.name) == nil:
		return fmt.Sprintf("Completion %s is not stored%s. %s%s", asked.name, goneBecause(f, asked.name), who, s.Answer)
	case asked.kind == kindCompletion:
		return fmt.Sprintf("By completion %s user %d %s", asked.name, s.User, s.Answer)
	case asked.kind == kindGrant && len(s.Grants) == 0 && f.policy(f.focus.policy) == nil:
		return fmt.Sprintf("There is no grant %s, and no policy %s", asked.name, f.focus.policy)
	case asked.kind == kindGrant && len(s.Grants) == 0:
		return fmt.Sprintf("There is no grant %s: user %d %s", asked.name, s.User, s.Answer)
	}
	return who + s.Answer
}

// goneBecause says what the Grants of a person have recorded of a completion that is not there.
func goneBecause(f *facts, name string) string {
	for i := range f.beside {
		for j := range f.beside[i].Spec.Causes {
			c := &f.beside[i].Spec.Causes[j]
			switch {
			case string(c.Completion) != name:
			case c.End == v1alpha1.CauseWithdrawn && c.EndsAt != nil:
				return ": it was deleted at " + text(f.in(c.EndsAt.Time))
			case c.ArchivedAt != nil:
				return ": retention deleted it at " + text(f.in(c.ArchivedAt.Time)) + ", which ends nothing"
			}
		}
	}
	return ": it was never delivered, waits in an inbox (kubectl course inbox list), or was deleted before it granted " +
		"anything"
}
