// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

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
