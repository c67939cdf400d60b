// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Expectations remembers the versions of the statuses that were written, until the cache shows them: what was
// provisioned sets off its Grant at once, and looking at it as it was before would mean writing the same status again,
// or not writing it where it is to be again as it was. The zero value is ready, and safe for concurrent use.
type Expectations struct {
	mu sync.Mutex
	// Where nobody asks for an object again, its version would stay for ever: only so many of the latest are kept.
	recent, older map[client.ObjectKey]string
}

// writtenBound is how many versions are kept at least: more than are written while the cache catches up.
const writtenBound = 10_000

// PatchStatus writes the status of an object if it differs from what was read, and reports whether it did, unless the
// cache, which it was read from, is behind.
func (w *Expectations) PatchStatus(ctx context.Context, c client.Client, read, changed client.Object) (bool, error) {
	if w.Behind(read) {
		return false, ErrBehind
	}
	did, err := PatchStatus(ctx, c, read, changed)
	if did {
		w.Note(changed)
	}
	return did, err
}

// Note remembers an object as the API server answered.
func (w *Expectations) Note(object client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.recent == nil || len(w.recent) >= writtenBound {
		w.recent, w.older = map[client.ObjectKey]string{}, w.recent
	}
	w.recent[client.ObjectKeyFromObject(object)] = object.GetResourceVersion()
}

// Behind reports whether an object from the cache is older than what was written. The event of that write is to come.
func (w *Expectations) Behind(object client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := client.ObjectKeyFromObject(object)
	version, found := w.recent[key]
	if !found {
		version, found = w.older[key]
	}
	if !found {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), version)
	if err == nil && order < 0 {
		return true
	}
	delete(w.recent, key)
	delete(w.older, key)
	return false
}

// Forget forgets an object that has gone.
func (w *Expectations) Forget(key client.ObjectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.recent, key)
	delete(w.older, key)
}
