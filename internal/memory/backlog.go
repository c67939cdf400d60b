// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// Backlog remembers who is still to be planned because a policy or an institution changed, so that a pool gives no seat
// to who comes later and happened to be planned sooner. It is in memory alone: after a start everybody whose completion
// was never looked at is found by the completion's status.
type Backlog struct {
	mu sync.Mutex
	// waiting holds since when the first completion of each person counts, by what is to be planned.
	waiting map[client.ObjectKey]map[Person]waitingPerson
	// looked holds the completions that have been planned, and whose status waits for their Grants, with their
	// generations.
	looked map[Person]map[string]int64
}

type waitingPerson struct{ first, since time.Time }

// Add notes persons with their first completions. They wait for the seats of a pool, or of all the pools of a namespace
// where the name is empty.
func (b *Backlog) Add(pool client.ObjectKey, persons map[Person]time.Time, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = map[client.ObjectKey]map[Person]waitingPerson{}
	}
	if b.waiting[pool] == nil {
		b.waiting[pool] = map[Person]waitingPerson{}
	}
	for person, first := range persons {
		if !first.IsZero() {
			b.waiting[pool][person] = waitingPerson{first, now}
		}
	}
}

// Done notes that a person has been planned.
func (b *Backlog) Done(person Person) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for pool, waiting := range b.waiting {
		if pool.Namespace != person.Namespace {
			continue
		}
		if delete(waiting, person); len(waiting) == 0 {
			delete(b.waiting, pool)
		}
	}
}

// Look notes the completions of a person that have been planned, and whose status says so only later.
func (b *Backlog) Look(person Person, completions map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looked == nil {
		b.looked = map[Person]map[string]int64{}
	}
	if b.looked[person] = completions; len(completions) == 0 {
		delete(b.looked, person)
	}
}

// Planned reports whether a completion has been planned as it is, whatever its status says.
func (b *Backlog) Planned(completion *v1alpha1.CourseCompletion) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	generation, found := b.looked[PersonOf(completion)[0]][completion.Name]
	return found && generation == completion.Generation
}

// First returns since when the first completion counts of which the person is still to be planned; zero if there is
// none. Who has not been planned for longer than the patience holds nobody up.
func (b *Backlog) First(pool client.ObjectKey, now time.Time, patience time.Duration) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	var first time.Time
	for _, key := range []client.ObjectKey{pool, {Namespace: pool.Namespace}} {
		for _, person := range b.waiting[key] {
			if now.Sub(person.since) < patience {
				first = kube.Earlier(first, person.first)
			}
		}
	}
	return first
}
