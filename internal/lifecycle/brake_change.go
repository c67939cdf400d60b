// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// ForwardRevocation returns the revocation that it is to bring the end of a Grant forward.
func ForwardRevocation(grant *v1alpha1.Grant) Revocation {
	forward, ends := grant.Spec.EndBroughtForward, grant.Spec.AccessEndsAt
	if forward == nil || ends == nil {
		return Revocation{Type: v1alpha1.RevocationEndForward}
	}
	return Revocation{Type: v1alpha1.RevocationEndForward, Known: forward.At.Time,
		Of: ends.UTC().Format(time.RFC3339) + " known " + forward.At.UTC().Format(metav1.RFC3339Micro)}
}

// ForwardWaits reports whether a delivery brought the end of a Grant forward, to a day after it was known or later, and
// the brake has not let that through. A sooner end counts when it falls due.
func ForwardWaits(grant *v1alpha1.Grant) bool {
	ends, known := grant.Spec.AccessEndsAt, grant.Spec.EndKnownAt
	if grant.Spec.EndBroughtForward == nil || ends == nil || known == nil || ends.Sub(known.Time) < noticed {
		return false
	}
	ordered := !grant.Planned() || revoked(grant) || grant.Spec.Override.Until != nil
	return !ordered && gives(grant) && !Admitted(grant, ForwardRevocation(grant))
}

// AccessChange is a change of who has access to the namespaces of a Grant.
type AccessChange struct {
	// Digest tells it from another one.
	Digest string
	// Known is since when it is known.
	Known time.Time
}

// AccessChangeOf returns the change to what a Grant says now. The same one is known since the status records it.
func AccessChangeOf(grant *v1alpha1.Grant, now time.Time) (AccessChange, error) {
	type access struct {
		Namespace string
		Access    []v1alpha1.GrantedAccess
	}
	said := make([]access, 0, len(grant.Spec.Namespaces))
	for i := range grant.Spec.Namespaces {
		said = append(said, access{grant.Spec.Namespaces[i].Name, grant.Spec.Namespaces[i].Access})
	}
	text, err := json.Marshal(said)
	if err != nil {
		return AccessChange{}, fmt.Errorf("encode who has access: %w", err)
	}
	sum := sha256.Sum256(text)
	change := AccessChange{Digest: hex.EncodeToString(sum[:16]), Known: now.UTC().Truncate(time.Microsecond)}
	if known := grant.Status.AccessChangeKnownAt; known != nil && grant.Status.AccessChangeDigest == change.Digest {
		change.Known = known.Time
	}
	return change, nil
}

// Record writes down in the status of a Grant that the change waits for the brake; the zero value, that none does.
func (c AccessChange) Record(status *v1alpha1.GrantStatus) {
	status.AccessChangeDigest, status.AccessChangeKnownAt = c.Digest, nil
	if c.Digest != "" {
		status.AccessChangeKnownAt = new(metav1.NewMicroTime(c.Known))
	}
}

// Revocation returns the revocation that the change is.
func (c AccessChange) Revocation() Revocation {
	return Revocation{Type: v1alpha1.RevocationAccessChange, Known: c.Known,
		Of: c.Digest + " known " + c.Known.UTC().Format(metav1.RFC3339Micro)}
}
