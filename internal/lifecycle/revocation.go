// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
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
	// Which Grants there are beside the owner was made certain only by what was confirmed.
	switch owner := f.Namespace.Owner; {
	case f.Owner != nil:
		c.Namespace.BesideOwner = f.Owner.Known
	case f.Revoker != nil && owner != nil && owner.UID == f.Grant.UID:
		c.Namespace.BesideOwner = f.Revoker.Known
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

// Impact is what becomes of a namespace once its revocation begins.
type Impact int

const (
	// NoImpact means that there is nothing that anybody would lose: it may begin, and the brake is not asked.
	NoImpact Impact = iota
	// Retained means that it is there and not taken. Taking it away must not begin: what keeps it may end much later, and
	// then the grace days and the brake are still to come.
	Retained
	// Lost means that somebody loses it.
	Lost
)

// Retainer is what keeps a namespace: a Grant, and until when, which is zero where that has no end.
type Retainer struct {
	Grant *v1alpha1.Grant
	Until time.Time
}

// ImpactOf works out from the Grants beside a Grant what becomes of a namespace once the Grant begins to revoke it.
// What has ended is taken from nobody, nor what an older delivery takes already. What one Grant loses and another one
// shares, that one keeps.
func ImpactOf(grant *v1alpha1.Grant, beside []v1alpha1.Grant, name string, now time.Time) (Impact, Retainer) {
	revoker, impact, retainer := SimulateStart(grant, name, now), NoImpact, Retainer{}
	for i := range beside {
		other := &beside[i]
		if other.Namespace != grant.Namespace || other.Spec.Holder != grant.Spec.Holder || !grantsNamespace(other, name) {
			continue
		}
		has := hasNamespace(other, name)
		by, until := NamespaceRevoker(other, revoker, name, now)
		already, _ := NamespaceRevoker(other, grant, name, now)
		switch {
		case by != nil && already == nil && (has || gives(other)):
			if impact != Retained {
				impact = Lost
			}
		case by == nil && (has || gives(other) && sharesNamespace(other, beside, name)):
			impact, retainer = Retained, Retainer{other, until}
		}
	}
	return impact, retainer
}

func grantsNamespace(grant *v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(grant.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool { return ns.Name == name })
}

// SimulateStart returns a Grant as if it began now to revoke a namespace because of its newest delivery.
func SimulateStart(grant *v1alpha1.Grant, name string, now time.Time) *v1alpha1.Grant {
	begun := grant.DeepCopy()
	begun.Status.Revocations = []v1alpha1.NamespaceRevocation{{Name: name, SendAt: grant.Spec.Revokes.SendAt,
		Digest: grant.Spec.Revokes.Digest, At: metav1.NewTime(now.UTC().Truncate(time.Second))}}
	return begun
}

// HasStarted reports whether a Grant has begun to revoke a namespace because of its newest delivery.
func HasStarted(grant *v1alpha1.Grant, name string) bool {
	before := startedOf(grant, name)
	return before != nil && before.SendAt == grant.Spec.Revokes.SendAt
}

// StartedByOlder reports whether a Grant takes already, because of an older delivery, a namespace that no Grant made.
func StartedByOlder(grant *v1alpha1.Grant, name string, created time.Time) bool {
	before := startedOf(grant, name)
	return before != nil && created.Before(sentAtOf(&grant.Spec.Revokes, before.SendAt))
}

// sentAtOf returns when an older delivery of the same completion was sent, of which only the text is recorded: an hour
// off where the clocks were changed in between. It is zero where that is not known.
func sentAtOf(revokes *v1alpha1.GrantRevocation, sendAt string) time.Time {
	if sendAt == revokes.SendAt {
		return revokes.SentAt.Time
	}
	newer, err := time.ParseInLocation(time.DateTime, revokes.SendAt, time.UTC)
	if err != nil {
		return time.Time{}
	}
	older, err := time.ParseInLocation(time.DateTime, sendAt, time.UTC)
	if err != nil {
		return time.Time{}
	}
	// A difference of times holds three centuries at most.
	return time.Unix(revokes.SentAt.Unix()+older.Unix()-newer.Unix(), 0).UTC()
}

// NamespacesRevocation returns the revocation that it is to begin to revoke these namespaces. Another list is another
// revocation, and so is one of what was kept before: what was let through once lets no edit of a policy pass, no label
// and no end of what kept a namespace, and the release of a trip before that does not either.
func NamespacesRevocation(grant *v1alpha1.Grant, names []string, now time.Time) Revocation {
	revokes := &grant.Spec.Revokes
	names = slices.Sorted(slices.Values(names))
	sum := sha256.Sum256([]byte(strings.Join(names, ",")))
	known := grant.CreationTimestamp.Time
	if revokes.KnownAt != nil {
		known = revokes.KnownAt.Time
	}
	switch {
	case grant.Status.RevocationsKnownAt != nil:
		known = moment.Later(known, grant.Status.RevocationsKnownAt.Time)
	case meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete) != nil:
		// It was looked at before, and nobody would have lost anything.
		known = moment.Later(known, now.UTC().Truncate(time.Microsecond))
	}
	return Revocation{
		Type: v1alpha1.RevocationNamespaces, Known: known,
		Of: revokes.SendAt + " " + hex.EncodeToString(sum[:8]) + " " + known.UTC().Format(time.RFC3339Nano),
	}
}

// StartedBefore returns what the status of a Grant is to say while the revocation of some namespaces waits for the
// brake, and others are kept: what has begun already, and is still to be taken.
func StartedBefore(grant *v1alpha1.Grant, waits, kept []string, now time.Time) []v1alpha1.NamespaceRevocation {
	var started []v1alpha1.NamespaceRevocation
	for _, entry := range Started(grant, now, kept...) {
		if !slices.Contains(waits, entry.Name) {
			started = append(started, entry)
		} else if before := startedOf(grant, entry.Name); before != nil {
			started = append(started, *before)
		}
	}
	return started
}
