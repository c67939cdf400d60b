// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// StartFacts is what DecideStart looks at.
type StartFacts struct {
	// Grant is one that revokes namespaces.
	Grant *v1alpha1.Grant
	// Beside are the Grants of the same holder, which may include the Grant itself.
	Beside []v1alpha1.Grant
	// Namespaces are those that have been read, by name.
	Namespaces map[string]NamespaceFacts
	// Admitted is what the brake answered; nil where it was not asked.
	Admitted *bool
	Now      time.Time
}

// StartDecision is which revocations of namespaces begin. What has begun is in the status before anything goes, and the
// grace days count from then.
type StartDecision struct {
	// Read is a namespace that has to be read first; empty where everything is known.
	Read string
	// Ask is what the brake has to be asked first; nil where nothing is.
	Ask *Revocation
	// Waits reports that the brake holds something back.
	Waits bool
	// Revocations and KnownAt are what the status is to say.
	Revocations []v1alpha1.NamespaceRevocation
	KnownAt     *metav1.MicroTime
	// Progress is the worst that is to be told of what does not begin.
	Progress Progress
}

// DecideStart works out which revocations of namespaces begin. None does of what is retained, nor of what somebody
// would lose while the brake holds that back.
func DecideStart(f StartFacts) StartDecision {
	var lost, retained []string
	var worst Progress
	for _, ns := range f.Grant.Spec.Revokes.Namespaces {
		impact, progress, known := f.impact(ns.Name)
		if !known {
			return StartDecision{Read: ns.Name}
		}
		switch impact {
		case Retained:
			retained = append(retained, ns.Name)
			worst = Worse(worst, progress)
		case Lost:
			lost = append(lost, ns.Name)
		}
	}
	if len(lost) > 0 {
		revocation := NamespacesRevocation(f.Grant, lost, f.Now)
		switch {
		case f.Admitted == nil:
			return StartDecision{Ask: &revocation}
		case !*f.Admitted:
			return StartDecision{
				Waits: true, Revocations: StartedBefore(f.Grant, lost, retained, f.Now),
				KnownAt: new(metav1.NewMicroTime(revocation.Known)),
				Progress: Progress{Reason: v1alpha1.ReasonRevocationPaused, At: worst.At, Poll: worst.Poll, Message: fmt.Sprintf(
					"the revocation of namespace %s is paused: %s", strings.Join(lost, ", "), PausedMessage)},
			}
		}
	}
	return StartDecision{Revocations: Started(f.Grant, f.Now, retained...), Progress: worst}
}

// impact works out what becomes of a namespace once its revocation begins, and what is to be told of one that is
// retained. It reports false where the namespace has to be read for that: what has begun is looked at by the cache
// alone before it is due.
func (f *StartFacts) impact(name string) (Impact, Progress, bool) {
	impact, retainer := ImpactOf(f.Grant, f.Beside, name, f.Now)
	switch {
	case impact == Retained:
		return impact, retainedBy(retainer, name), true
	case HasStarted(f.Grant, name):
		return NoImpact, Progress{}, true
	}
	namespace, read := f.Namespaces[name]
	if !read || namespace.Object == nil {
		return impact, Progress{}, read
	}
	simulated := SimulateStart(f.Grant, name, f.Now)
	c := &NamespaceCase{Grant: simulated, Started: simulated.Status.Revocations[0], Namespace: namespace, Now: f.Now}
	if untouchable := firstOf(c, metadataRules, contentRules); !untouchable.Gone() {
		return Retained, untouchable, true
	}
	if !namespace.Object.DeletionTimestamp.IsZero() {
		return impact, Progress{}, true
	}
	if kept := firstOf(c, ownerRules); !kept.Gone() {
		return Retained, kept, true
	}
	if f.revokedAlready(c) {
		return NoImpact, Progress{}, true
	}
	return Lost, Progress{}, true
}

// revokedAlready reports whether an older delivery revokes a namespace already, so that nobody loses anything more.
func (f *StartFacts) revokedAlready(c *NamespaceCase) bool {
	if !c.owned() {
		return StartedByOlder(f.Grant, c.Namespace.Name, c.Namespace.Object.CreationTimestamp.Time)
	}
	revoker, _ := NamespaceRevoker(c.Namespace.Owner, f.Grant, c.Namespace.Name, f.Now)
	return revoker != nil
}

// DeletionAction is what is to be done next about a namespace whose revocation has begun.
type DeletionAction string

const (
	// NamespaceWaits leaves it as it is for now.
	NamespaceWaits DeletionAction = "Wait"
	// ReadNamespace reads it, live, and decides again.
	ReadNamespace DeletionAction = "Read"
	// ConfirmOwner looks live at what may change the plan of the Grant that made it, and decides again.
	ConfirmOwner DeletionAction = "ConfirmOwner"
	// ConfirmRevoker looks live at what may change the plan of the Grant that revokes, and decides again.
	ConfirmRevoker DeletionAction = "ConfirmRevoker"
	// DeleteNamespace deletes it, if it is still as it was read.
	DeleteNamespace DeletionAction = "Delete"
)

// DeletionFacts is what DecideDeletion looks at.
type DeletionFacts struct {
	// Grant is the one that revokes, and Started its revocation of the namespace.
	Grant   *v1alpha1.Grant
	Started v1alpha1.NamespaceRevocation
	// Recorded reports that the status says so as it was read: it is durable.
	Recorded bool
	// Namespace is nil where it has not been read.
	Namespace *NamespaceFacts
	// Owner and Revoker are what was read live of the Grants concerned; nil where nothing was.
	Owner, Revoker *Confirmation
	Now            time.Time
}

// DecideDeletion works out whether a namespace whose revocation has begun may be deleted.
func DecideDeletion(f DeletionFacts) (DeletionAction, Progress) {
	due := RevokedDataEnds(f.Grant, f.Started)
	switch {
	case due.After(f.Now) || !f.Recorded:
		return NamespaceWaits, dataStaysUntil(f.Started.Name, due)
	case f.Namespace == nil:
		return ReadNamespace, Progress{}
	case f.Namespace.Object == nil:
		return NamespaceWaits, Progress{}
	}
	c := &NamespaceCase{Grant: f.Grant, Started: f.Started, Namespace: *f.Namespace, Now: f.Now}
	if f.Owner != nil {
		// Which Grants there are beside the owner was made certain only by this.
		c.Namespace.BesideOwner = f.Owner.Known
	}
	if untouchable := firstOf(c, metadataRules, contentRules); !untouchable.Gone() {
		return NamespaceWaits, untouchable
	}
	if !f.Namespace.Object.DeletionTimestamp.IsZero() {
		return NamespaceWaits, Deleting(f.Started.Name)
	}
	if kept := firstOf(c, ownerRules); !kept.Gone() {
		return NamespaceWaits, kept
	}
	return f.confirmed(c)
}

// confirmed lets a namespace go once nothing is about to change the plans of the two Grants concerned.
func (f *DeletionFacts) confirmed(c *NamespaceCase) (DeletionAction, Progress) {
	if c.owned() {
		owner := c.Namespace.Owner
		if by, _ := NamespaceRevoker(owner, f.Grant, f.Started.Name, f.Now); by.DataEndsAt.After(f.Now) {
			return NamespaceWaits, dataStaysUntil(f.Started.Name, by.DataEndsAt)
		}
		if owner.Planned() && owner.UID != f.Grant.UID {
			if f.Owner == nil {
				return ConfirmOwner, Progress{}
			}
			if doubt := f.Owner.Doubt(owner); doubt != "" {
				return NamespaceWaits, doubtful(f.Started.Name, doubt)
			}
		}
	}
	if f.Revoker == nil {
		return ConfirmRevoker, Progress{}
	}
	if doubt := f.Revoker.Doubt(f.Grant); doubt != "" {
		return NamespaceWaits, doubtful(f.Started.Name, doubt)
	}
	return DeleteNamespace, Progress{}
}

func doubtful(name, doubt string) Progress {
	return Progress{Reason: v1alpha1.ReasonAccessEnded, Poll: PollSoon,
		Message: fmt.Sprintf("namespace %s is kept for now: %s", name, doubt)}
}

// Deleting says that the API server is at it.
func Deleting(name string) Progress {
	return Progress{Reason: v1alpha1.ReasonTerminating, Poll: PollSoon,
		Message: fmt.Sprintf("namespace %s is being deleted", name)}
}
