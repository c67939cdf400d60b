// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Whatever the order in which deliveries come, and however often, the end is the same: what the greatest says, and the
// least of the times.
func TestEveryOrderOfMergingEndsInTheSame(t *testing.T) {
	began := time.Date(2023, time.July, 3, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var deliveries []v1alpha1.CourseCompletionSpec
		for n := range 2 + random.IntN(6) {
			at := began.Add(time.Duration(random.IntN(4)) * time.Minute)
			var spec v1alpha1.CourseCompletionSpec
			spec.Event.SendAt, spec.Event.SentAt = at.Format(time.DateTime), metav1.NewTime(at)
			spec.Event.FirstSentAt = new(spec.Event.SentAt)
			spec.Course.Name = fmt.Sprint("Course ", n)
			deliveries = append(deliveries, spec, spec)
		}
		end := func() v1alpha1.CourseCompletionSpec {
			random.Shuffle(len(deliveries), func(a, b int) { deliveries[a], deliveries[b] = deliveries[b], deliveries[a] })
			stored := *deliveries[0].DeepCopy()
			for _, delivery := range deliveries[1:] {
				before := *stored.DeepCopy()
				if _, changed := Merge(&stored, &delivery); changed == cmp.Equal(before, stored) {
					t.Fatalf("seed %d: changed is %t (-before +after):\n%s", seed, changed, cmp.Diff(before, stored))
				}
			}
			return stored
		}
		first, second := end(), end()
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("seed %d: two orders (-first +second):\n%s", seed, diff)
		}
		for _, delivery := range deliveries {
			if sent := first.Event.First(); delivery.Event.SentAt.Before(&sent) {
				t.Errorf("seed %d: sent first at %s, and %s is known", seed, delivery.Event.SentAt, sent)
			}
		}
	}
}
