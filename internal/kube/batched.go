// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"sync"
	"time"
)

// batchTimeout bounds a read that is shared.
const batchTimeout = 30 * time.Second

// Batched reads live for many who ask for the same at the same time. Whoever asks gets what was read after they asked:
// a read that is under way may be older than what they know, so they wait for the next one, together. The zero value is
// ready, and safe for concurrent use.
type Batched[K comparable, T any] struct {
	mu sync.Mutex
	// running are the reads that are under way, and waiting those that begin once these have ended.
	running, waiting map[K]*batch[T]
}

// batch is one read, and everybody who gets what it says.
type batch[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func (b *batch[T]) await(ctx context.Context) (T, error) {
	select {
	case <-b.done:
		return b.value, b.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Read returns what a read says that began after this was called. What it returns is shared, and must not be changed.
func (b *Batched[K, T]) Read(ctx context.Context, key K, read func(context.Context) (T, error)) (T, error) {
	b.mu.Lock()
	if b.running == nil {
		b.running, b.waiting = map[K]*batch[T]{}, map[K]*batch[T]{}
	}
	next := b.waiting[key]
	if next == nil {
		next = &batch[T]{done: make(chan struct{})}
		b.waiting[key] = next
		// Who asks first may give up, and the others are not to lose their answer by that.
		go b.run(context.WithoutCancel(ctx), key, b.running[key], next, read)
	}
	b.mu.Unlock()
	return next.await(ctx)
}

// run reads once the read before has ended. From then on, who asks waits for another one.
func (b *Batched[K, T]) run(
	ctx context.Context, key K, before, next *batch[T], read func(context.Context) (T, error),
) {
	if before != nil {
		<-before.done
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	b.mu.Lock()
	delete(b.waiting, key)
	b.running[key] = next
	b.mu.Unlock()
	next.value, next.err = read(ctx)
	b.mu.Lock()
	if b.running[key] == next {
		delete(b.running, key)
	}
	b.mu.Unlock()
	close(next.done)
}
