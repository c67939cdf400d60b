// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"maps"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// holdersKept is for how long it is remembered whose a token was that nobody has had since.
const holdersKept = time.Hour

// tokenHolders remember whose a token is: the Institution that it was last accepted for, by its digest. Who else comes
// to know the token does not get it by having been there before, nor in the moment in which the holder is being
// replaced. The zero value is ready, and safe for concurrent use.
type tokenHolders struct {
	mu     sync.Mutex
	known  map[string]tokenHolder
	purged time.Time
}

type tokenHolder struct {
	institution client.ObjectKey
	// seen is when its token was accepted last.
	seen time.Time
}

// note notes that a token is accepted for an Institution.
func (h *tokenHolders) note(institution client.ObjectKey, digest string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known = map[string]tokenHolder{}
	}
	h.known[digest] = tokenHolder{institution, now}
	if now.Sub(h.purged) > holdersKept {
		h.purged = now
		maps.DeleteFunc(h.known, func(_ string, holder tokenHolder) bool { return now.Sub(holder.seen) > holdersKept })
	}
}

// holds reports whether a token is an Institution's.
func (h *tokenHolders) holds(institution *v1alpha1.Institution, digest string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if holder, found := h.known[digest]; found {
		return holder.institution == client.ObjectKeyFromObject(institution)
	}
	for _, token := range institution.Status.Tokens {
		if token.SHA256 == digest && token.State == v1alpha1.TokenAccepted {
			return true
		}
	}
	return false
}

// awaited reports whether a token was another Institution's until a moment ago: that one may be being replaced.
func (h *tokenHolders) awaited(
	institution client.ObjectKey, digest string, now time.Time, patience time.Duration,
) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	holder, found := h.known[digest]
	return found && holder.institution != institution && now.Sub(holder.seen) < patience
}
