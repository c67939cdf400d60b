// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// backlog remembers who is still to be planned because a policy or an institution changed, so that a pool gives no seat
// to who comes later and happened to be planned sooner. It is in memory alone: after a start everybody whose completion
// was never looked at is found by the completion's status.
type backlog struct {
	mu sync.Mutex
	// waiting holds since when the first completion of each person counts, by what is to be planned.
	waiting map[client.ObjectKey]map[Person]waitingPerson
	// looked holds the completions that have been planned, and whose status waits for their Grants, with their
	// generations.
	looked map[Person]map[string]int64
}

type waitingPerson struct{ first, since time.Time }

// add notes persons with their first completions. They wait for the seats of a pool, or of all the pools of a namespace
// where the name is empty.
func (b *backlog) add(pool client.ObjectKey, persons map[Person]time.Time, now time.Time) {
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

// done notes that a person has been planned.
func (b *backlog) done(person Person) {
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

// look notes the completions of a person that have been planned, and whose status says so only later.
func (b *backlog) look(person Person, completions map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looked == nil {
		b.looked = map[Person]map[string]int64{}
	}
	if b.looked[person] = completions; len(completions) == 0 {
		delete(b.looked, person)
	}
}

// planned reports whether a completion has been planned as it is, whatever its status says.
func (b *backlog) planned(completion *v1alpha1.CourseCompletion) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	generation, found := b.looked[personOf(completion)[0]][completion.Name]
	return found && generation == completion.Generation
}

// first returns since when the first completion counts of which the person is still to be planned; zero if there is
// none. Who has not been planned for longer than the patience holds nobody up.
func (b *backlog) first(pool client.ObjectKey, now time.Time, patience time.Duration) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	var first time.Time
	for _, key := range []client.ObjectKey{pool, {Namespace: pool.Namespace}} {
		for _, person := range b.waiting[key] {
			if now.Sub(person.since) < patience {
				first = earlier(first, person.first)
			}
		}
	}
	return first
}

// earlier returns the earlier of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// unplanned is the function of the index of completions that were never looked at as they are: by their course, and all
// of them.
func unplanned(o client.Object) []string {
	completion := o.(*v1alpha1.CourseCompletion)
	if completion.Status.ObservedGeneration == completion.Generation {
		return nil
	}
	return []string{anyCourse, completion.Spec.Course.ID.String()}
}

// anyCourse is the value under which that index has the completions of all courses.
const anyCourse = "any"
