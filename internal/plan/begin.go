// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Loss is what becomes of a namespace once taking it away begins.
type Loss int

const (
	// LosesNothing means that there is nothing that anybody would lose: it may begin, and the brake is not asked.
	LosesNothing Loss = iota
	// Kept means that it is there and not taken. Taking it away must not begin: what keeps it may end much later, and
	// then the grace days and the brake are still to come.
	Kept
	// Loses means that somebody loses it.
	Loses
)

// Keeper is what keeps a namespace: a Grant, and until when, which is zero where that has no end.
type Keeper struct {
	Grant *v1alpha1.Grant
	Until time.Time
}

// LossOf works out from the Grants beside a Grant what becomes of a namespace once the Grant begins to take it away.
// What has ended is taken from nobody, nor what an older delivery takes already. What one Grant loses and another one
// shares, that one keeps.
func LossOf(grant *v1alpha1.Grant, beside []v1alpha1.Grant, name string, now time.Time) (Loss, Keeper) {
	taker, loss, keeper := AsIfBegun(grant, name, now), LosesNothing, Keeper{}
	for i := range beside {
		other := &beside[i]
		if other.Namespace != grant.Namespace || other.Spec.Holder != grant.Spec.Holder || !grantsNamespace(other, name) {
			continue
		}
		has := slices.ContainsFunc(other.Status.Inventory, func(e v1alpha1.InventoryEntry) bool {
			return e.Kind == "Namespace" && e.Name == name
		})
		taking, until := NamespaceTaken(other, taker, name, now)
		already, _ := NamespaceTaken(other, grant, name, now)
		switch {
		case taking != nil && already == nil && (has || gives(other)):
			if loss != Kept {
				loss = Loses
			}
		case taking == nil && (has || gives(other) && sharesNamespace(other, beside, name)):
			loss, keeper = Kept, Keeper{other, until}
		}
	}
	return loss, keeper
}

func grantsNamespace(grant *v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(grant.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool { return ns.Name == name })
}

// AsIfBegun returns a Grant as if it began now to take a namespace away because of its newest delivery.
func AsIfBegun(grant *v1alpha1.Grant, name string, now time.Time) *v1alpha1.Grant {
	begun := grant.DeepCopy()
	begun.Status.Revocations = []v1alpha1.NamespaceRevocation{{Name: name, SendAt: grant.Spec.Revokes.SendAt,
		Digest: grant.Spec.Revokes.Digest, At: metav1.NewTime(now.UTC().Truncate(time.Second))}}
	return begun
}

// Begun reports whether a Grant has begun to take a namespace away because of its newest delivery.
func Begun(grant *v1alpha1.Grant, name string) bool {
	before := tookOf(grant, name)
	return before != nil && before.SendAt == grant.Spec.Revokes.SendAt
}

// TookOlder reports whether a Grant takes already, because of an older delivery, a namespace that no Grant made.
func TookOlder(grant *v1alpha1.Grant, name string, created time.Time) bool {
	before := tookOf(grant, name)
	return before != nil && created.Before(sentAtOf(&grant.Spec.Revokes, before.SendAt))
}

// sentAtOf returns when an older delivery of the same completion was sent, of which only the text is recorded: an hour
// off where the clocks were changed in between. It is zero where that is not known.
func sentAtOf(takes *v1alpha1.GrantRevocation, sendAt string) time.Time {
	if sendAt == takes.SendAt {
		return takes.SentAt.Time
	}
	newer, err := time.ParseInLocation(time.DateTime, takes.SendAt, time.UTC)
	if err != nil {
		return time.Time{}
	}
	older, err := time.ParseInLocation(time.DateTime, sendAt, time.UTC)
	if err != nil {
		return time.Time{}
	}
	// A difference of times holds three centuries at most.
	return time.Unix(takes.SentAt.Unix()+older.Unix()-newer.Unix(), 0).UTC()
}

// TakesRevocation returns the revocation that it is to begin to take these namespaces away. Another list is another
// revocation, and so is one of what was kept before: what was let through once lets no edit of a policy pass, no label
// and no end of what kept a namespace, and the release of a trip before that does not either.
func TakesRevocation(grant *v1alpha1.Grant, names []string, now time.Time) Revocation {
	takes := &grant.Spec.Revokes
	names = slices.Sorted(slices.Values(names))
	sum := sha256.Sum256([]byte(strings.Join(names, ",")))
	known := grant.CreationTimestamp.Time
	if takes.KnownAt != nil {
		known = takes.KnownAt.Time
	}
	switch {
	case grant.Status.RevocationsKnownAt != nil:
		known = later(known, grant.Status.RevocationsKnownAt.Time)
	case meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete) != nil:
		// It was looked at before, and nobody would have lost anything.
		known = later(known, now.UTC().Truncate(time.Microsecond))
	}
	return Revocation{
		Type: v1alpha1.RevocationNamespaces, Known: known,
		Of: takes.SendAt + " " + hex.EncodeToString(sum[:8]) + " " + known.UTC().Format(time.RFC3339Nano),
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// TookBefore returns what the status of a Grant is to say while the taking away of some namespaces waits for the brake,
// and others are kept: what has begun already, and is still to be taken.
func TookBefore(grant *v1alpha1.Grant, waits, kept []string, now time.Time) []v1alpha1.NamespaceRevocation {
	var took []v1alpha1.NamespaceRevocation
	for _, entry := range Took(grant, now, kept...) {
		if !slices.Contains(waits, entry.Name) {
			took = append(took, entry)
		} else if before := tookOf(grant, entry.Name); before != nil {
			took = append(took, *before)
		}
	}
	return took
}
