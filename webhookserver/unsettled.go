// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"maps"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// replacePatience is for how long the tokens of an Institution that was deleted are asked to try again: whoever
// replaces one by force deletes it and makes it again.
const replacePatience = time.Minute

// unsettled knows whose tokens cannot be judged for the moment: those of an Institution that nobody has read the
// Secrets of yet, and those that an Institution accepted until it was deleted a moment ago. A refusal would be for
// good, and the sender may be right.
//
// Of the latter only who has such a token learns anything. Of the former anybody does who asks for its id in the
// moments until its tokens are read: that there is an Institution of that id, and nothing about its tokens.
type unsettled struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// unread are the Institutions without a status, by id.
	unread map[v1alpha1.PlatformID]map[client.ObjectKey]bool
	// tokens are those that are or were accepted, by the digest.
	tokens map[string]knownToken
}

type knownToken struct {
	institution v1alpha1.PlatformID
	of          client.ObjectKey
	// until is zero as long as the Institution is there.
	until time.Time
}

func newUnsettled(c clock.PassiveClock) *unsettled {
	return &unsettled{clock: c, unread: map[v1alpha1.PlatformID]map[client.ObjectKey]bool{},
		tokens: map[string]knownToken{}}
}

// saw notes an Institution as it is.
func (u *unsettled) saw(institution *v1alpha1.Institution) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key, id := client.ObjectKeyFromObject(institution), institution.Spec.ID
	if institution.Status.ObservedGeneration < 0 {
		if u.unread[id] == nil {
			u.unread[id] = map[client.ObjectKey]bool{}
		}
		u.unread[id][key] = true
		return
	}
	u.read(id, key)
	// What it accepted before and does not accept by now is wrong.
	maps.DeleteFunc(u.tokens, func(_ string, token knownToken) bool { return token.of == key })
	for _, digest := range acceptedDigests(institution) {
		u.tokens[digest] = knownToken{institution: id, of: key}
	}
}

// gone notes that an Institution was deleted.
func (u *unsettled) gone(institution *v1alpha1.Institution) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key, now := client.ObjectKeyFromObject(institution), u.clock.Now()
	u.read(institution.Spec.ID, key)
	maps.DeleteFunc(u.tokens, func(_ string, token knownToken) bool {
		return !token.until.IsZero() && now.After(token.until)
	})
	for digest, token := range u.tokens {
		if token.of == key && token.until.IsZero() {
			token.until = now.Add(replacePatience)
			u.tokens[digest] = token
		}
	}
}

func (u *unsettled) read(id v1alpha1.PlatformID, key client.ObjectKey) {
	if delete(u.unread[id], key); len(u.unread[id]) == 0 {
		delete(u.unread, id)
	}
}

// covers reports whether it cannot be told yet that a token is wrong. Both are looked up whatever the first one says,
// so that the time tells nothing.
func (u *unsettled) covers(id v1alpha1.PlatformID, digest string) bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	unread := len(u.unread[id]) > 0
	token, known := u.tokens[digest]
	replaced := known && token.institution == id && !token.until.IsZero() && !u.clock.Now().After(token.until)
	return unread || replaced
}
