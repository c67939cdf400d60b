// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package order says which of two deliveries of one completion is the newer one. The order is total and the same on
// every replica, so that deliveries that come repeatedly, late or mixed up all end in the same state.
package order

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Key is the place of a delivery in the order: first the time that the sender gave it, as text, then the digest of
// what it says. The second part has no meaning, it only makes the order total.
type Key struct {
	SendAt string
	Digest string
}

// Of returns the key of a delivery, recomputed from what is stored. What the receiver added (the moment in the zone,
// that of the first delivery, the delivery id and its warnings) does not count: an institution that corrects its time
// zone does not make every repetition a newer delivery.
func Of(spec *v1alpha1.CourseCompletionSpec) Key {
	said := *spec
	said.Event.SentAt, said.Event.FirstSentAt = metav1.Time{}, nil
	said.Delivery = v1alpha1.CompletionDelivery{}
	text, err := json.Marshal(said)
	if err != nil {
		// A struct of strings, numbers and booleans always has a JSON form.
		panic(fmt.Sprintf("encoding a completion: %v", err))
	}
	sum := sha256.Sum256(text)
	return Key{SendAt: spec.Event.SendAt, Digest: hex.EncodeToString(sum[:])}
}

// Compare returns a negative number where a comes before b, a positive one where it comes after, and 0 where both say
// the same.
func Compare(a, b Key) int {
	return cmp.Or(cmp.Compare(a.SendAt, b.SendAt), cmp.Compare(a.Digest, b.Digest))
}
