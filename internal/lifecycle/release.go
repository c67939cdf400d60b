// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Release is how a Grant that is being deleted is let go of.
type Release string

const (
	// Detach lets go of it, and leaves what was provisioned: its namespace, or the kind itself, is being deleted.
	Detach Release = "Detach"
	// LetGo lets go of a planned Grant that the planner makes again, and which then finds its objects.
	LetGo Release = "LetGo"
	// Abandon takes the access of a planned Grant that nobody makes again: nobody could take it otherwise. Data is left to
	// people.
	Abandon Release = "Abandon"
	// RevokeForGood takes everything that a Grant of a person's provisioned, without grace days.
	RevokeForGood Release = "RevokeForGood"
	// ReleaseWaits keeps the Grant until people have acted: nobody would make it again for as long as that lasts, and its
	// seat would go to somebody else.
	ReleaseWaits Release = "Wait"
	// ReleaseAsksBrake asks the brake first, since nobody ordered that the holder loses anything.
	ReleaseAsksBrake Release = "AskBrake"
)

// ReleaseFacts is what DecideRelease looks at.
type ReleaseFacts struct {
	Grant *v1alpha1.Grant
	// NamespaceGoing reports that the Grant's namespace, or the kind of Grants, is being deleted.
	NamespaceGoing bool
	Institution    Institution
	// Policy is read live, since a policy is often deleted together with its Grants; nil where it has gone.
	Policy *v1alpha1.CompletionPolicy
	// Completions are the names of those of the Grant's causes that are there.
	Completions map[v1alpha1.LocalName]bool
	// Entitles reports whether causes entitle, of which only those count that it is told to.
	Entitles func(counts func(*v1alpha1.GrantCause) bool) bool
	// Admitted is what the brake answered; nil where it was not asked.
	Admitted *bool
	Now      time.Time
}

// ReleaseDecision is how a Grant that is being deleted is let go of, and what it waits for.
type ReleaseDecision struct {
	Release         Release
	Revocation      Revocation
	Reason, Message string
}

// DecideRelease works out how a Grant that is being deleted is let go of. Deleting a planned Grant is no order to take
// anything, nor is the deletion of its namespace. Deleting a Grant that a person made revokes it.
func DecideRelease(f ReleaseFacts) ReleaseDecision {
	switch {
	case f.NamespaceGoing:
		return ReleaseDecision{Release: Detach}
	case !f.Grant.Planned():
		return ReleaseDecision{Release: RevokeForGood}
	}
	for _, rule := range releaseRules {
		if decision := rule.decide(&f); decision.Release != "" {
			return decision
		}
	}
	return ReleaseDecision{Release: Abandon}
}

// releaseRules are the reasons for which the access of a planned Grant does not simply go with it, in the order in
// which they count.
var releaseRules = []struct {
	name   string
	decide func(f *ReleaseFacts) ReleaseDecision
}{
	{"the institution is suspended", func(f *ReleaseFacts) ReleaseDecision {
		if f.Institution.Suspended && HasAccess(f.Grant) {
			return releaseWaits(v1alpha1.ReasonSuspended,
				"the grant is being deleted; the institution is suspended: nothing is granted or revoked")
		}
		return ReleaseDecision{}
	}},
	{"the institution cannot be worked with", func(f *ReleaseFacts) ReleaseDecision {
		if f.Institution.Reason != "" && f.Institution.Reason != v1alpha1.ReasonInstitutionMissing &&
			HasAccess(f.Grant) && !StateOf(f.Grant, f.Now).Revoked {
			return releaseWaits(f.Institution.Reason, f.Institution.Message)
		}
		return ReleaseDecision{}
	}},
	{"the policy is suspended", func(f *ReleaseFacts) ReleaseDecision {
		if f.policySuspended() && HasAccess(f.Grant) {
			return releaseWaits(v1alpha1.ReasonSuspended, fmt.Sprintf(
				"the grant is being deleted; policy %s is suspended: nothing is granted or revoked", f.Policy.Name))
		}
		return ReleaseDecision{}
	}},
	{"it is planned again", func(f *ReleaseFacts) ReleaseDecision {
		works := f.Policy != nil && !f.policySuspended() &&
			meta.IsStatusConditionTrue(f.Policy.Status.Conditions, v1alpha1.ConditionReady)
		there := func(cause *v1alpha1.GrantCause) bool { return f.Completions[cause.Completion] }
		if works && f.Entitles(there) {
			return ReleaseDecision{Release: LetGo}
		}
		return ReleaseDecision{}
	}},
	{"the brake has to let it through", func(f *ReleaseFacts) ReleaseDecision {
		deleted := f.Grant.DeletionTimestamp.UTC()
		revocation := Revocation{Type: v1alpha1.RevocationAccessEnd,
			Of: "deleted " + deleted.Format(time.RFC3339), Known: deleted}
		switch {
		case f.Institution.Reason != "" || StateOf(f.Grant, f.Now).Stage != Active || !HasAccess(f.Grant):
			return ReleaseDecision{}
		case f.Admitted == nil:
			return ReleaseDecision{Release: ReleaseAsksBrake, Revocation: revocation}
		case !*f.Admitted:
			return releaseWaits(v1alpha1.ReasonRevocationPaused, PausedMessage)
		}
		return ReleaseDecision{}
	}},
}

func releaseWaits(reason, message string) ReleaseDecision {
	return ReleaseDecision{Release: ReleaseWaits, Reason: reason, Message: message}
}

func (f *ReleaseFacts) policySuspended() bool {
	return f.Policy != nil && f.Policy.Spec.Suspended()
}
