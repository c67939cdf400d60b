// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fairqueue

import (
	"cmp"
	"container/heap"
	"container/list"
	"slices"
	"time"
)

// item is a key that waits.
type item[T comparable] struct {
	key      T
	priority int
	// added orders the keys of one priority.
	added uint64
	// at is when it is due; zero once it is.
	at time.Time
	// index is its place among the delayed.
	index int
	// element is its place among those of its tenant; nil where it has none.
	element *list.Element
}

// tenant is who shares the workers with others.
type tenant[T comparable] struct {
	name string
	// levels has what is ready by priority, the greatest first, and no level that is empty.
	levels  []*level
	ready   int
	working int
	turns   uint64
	// urgent is the greatest priority that was handed out within contention, and urgentAt when it was last.
	urgent   int
	urgentAt time.Time
	// place in the round; nil while nothing is ready.
	place *list.Element
}

// level is what is ready of one priority, what was added first in front.
type level struct {
	priority int
	items    list.List
}

func (t *tenant[T]) find(priority int) (int, bool) {
	return slices.BinarySearchFunc(t.levels, priority, func(l *level, p int) int { return cmp.Compare(p, l.priority) })
}

func (t *tenant[T]) put(it *item[T]) {
	i, found := t.find(it.priority)
	if !found {
		t.levels = slices.Insert(t.levels, i, &level{priority: it.priority})
	}
	it.element = t.levels[i].items.PushBack(it)
	t.ready++
}

func (t *tenant[T]) remove(it *item[T]) {
	i, found := t.find(it.priority)
	if !found {
		return
	}
	t.levels[i].items.Remove(it.element)
	it.element = nil
	t.ready--
	if t.levels[i].items.Len() == 0 {
		t.levels = slices.Delete(t.levels, i, i+1)
	}
}

// note keeps which priority is handed out.
func (t *tenant[T]) note(priority int, now time.Time) {
	if priority >= t.urgent || now.Sub(t.urgentAt) >= contention {
		t.urgent, t.urgentAt = priority, now
	}
}

// urgency returns the greatest priority of what is ready, or was handed out within contention.
func (t *tenant[T]) urgency(now time.Time) int {
	if now.Sub(t.urgentAt) < contention {
		return max(t.urgent, t.priority())
	}
	return t.priority()
}

// priority returns the greatest priority of what is ready, of which there is something.
func (t *tenant[T]) priority() int { return t.levels[0].priority }

func (t *tenant[T]) first() *item[T] { return t.levels[0].items.Front().Value.(*item[T]) }

func (t *tenant[T]) oldest() *item[T] {
	oldest := t.first()
	for _, l := range t.levels {
		if it := l.items.Front().Value.(*item[T]); it.added < oldest.added {
			oldest = it
		}
	}
	return oldest
}

// delays are the keys whose time is to come.
type delays[T comparable] struct{ items delayHeap[T] }

func (d *delays[T]) first() *item[T] {
	if len(d.items) == 0 {
		return nil
	}
	return d.items[0]
}

func (d *delays[T]) insert(it *item[T]) { heap.Push(&d.items, it) }

func (d *delays[T]) remove(it *item[T]) { heap.Remove(&d.items, it.index) }

type delayHeap[T comparable] []*item[T]

// Len implements heap.Interface.
func (h delayHeap[T]) Len() int { return len(h) }

// Less implements heap.Interface.
func (h delayHeap[T]) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

// Swap implements heap.Interface.
func (h delayHeap[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *delayHeap[T]) Push(x any) {
	it := x.(*item[T])
	it.index = len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *delayHeap[T]) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
