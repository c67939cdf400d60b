// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Patience is for how long what is absent is waited for before the absence counts. The zero value of a field is its
// default.
type Patience struct {
	// Absent is for completions, policies and Grants that this process did not see being deleted: somebody deleted them
	// while it was down, or they are still to be restored. 5 minutes by default.
	Absent time.Duration
	// Replaced is for a policy that was deleted: tools replace one by deleting it and making it again. 1 minute by
	// default.
	Replaced time.Duration
	// Restored is for the Seats of Grants that came from a backup: their pools give none to others so long. 2 minutes by
	// default.
	Restored time.Duration
	// Planned is for completions that are still to be planned and come first in the queue for a seat: a fault that holds
	// up one person is not to hold up everybody. 5 minutes by default.
	Planned time.Duration
}

func (p Patience) orDefault() Patience {
	for _, field := range []struct {
		is *time.Duration
		by time.Duration
	}{{&p.Absent, 5 * time.Minute}, {&p.Replaced, time.Minute}, {&p.Restored, 2 * time.Minute}, {&p.Planned,
		5 * time.Minute}} {
		if *field.is == 0 {
			*field.is = field.by
		}
	}
	return p
}

// deletionsKept is for how long a deletion is remembered. One that nobody acted upon by then, since the institution was
// suspended for one, counts like one that happened while this process was down.
const deletionsKept = time.Hour

// witness remembers what this process saw, on a standby too: an absence is an order only if a presence went before it.
// A restart begins anew.
type witness struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// grants has the version of each Grant when it was seen first.
	grants map[types.UID]string
	// made are those of them that this process made or adopted, and making those that it is making.
	made   map[types.UID]bool
	making map[client.ObjectKey]bool
	// deletions are what was seen being deleted.
	deletions map[identity]deletion
	purged    time.Time
	absent    map[identity]absence
}

// identity is an object of our group.
type identity struct {
	kind string
	client.ObjectKey
}

func identityOf(object client.Object) identity {
	return identity{reflect.TypeOf(object).Elem().Name(), client.ObjectKeyFromObject(object)}
}

func completionNamed(namespace string, name v1alpha1.LocalName) identity {
	return identity{"CourseCompletion", client.ObjectKey{Namespace: namespace, Name: string(name)}}
}

func policyNamed(namespace string, name v1alpha1.LocalName) identity {
	return identity{"CompletionPolicy", client.ObjectKey{Namespace: namespace, Name: string(name)}}
}

func grantNamed(key client.ObjectKey) identity { return identity{"Grant", key} }

type deletion struct {
	version string
	at      time.Time
}

// absence is since when something is not there, and when that was looked at last.
type absence struct{ since, last time.Time }

func newWitness(c clock.PassiveClock) *witness {
	return &witness{clock: c, grants: map[types.UID]string{}, made: map[types.UID]bool{},
		making:    map[client.ObjectKey]bool{},
		deletions: map[identity]deletion{}, absent: map[identity]absence{}}
}

// watch has the witness see what the cache sees.
func (w *witness) watch(ctx context.Context, informers cache.Cache) error {
	for _, kind := range []client.Object{
		&v1alpha1.CourseCompletion{}, &v1alpha1.CompletionPolicy{}, &v1alpha1.Grant{},
	} {
		informer, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(object any) {
				if grant, ok := object.(*v1alpha1.Grant); ok {
					w.sawGrant(grant)
				}
			},
			DeleteFunc: func(object any) {
				if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
					object = gone.Obj
				}
				if deleted, ok := object.(client.Object); ok {
					w.sawDeletion(deleted)
				}
			},
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return nil
}

// sawGrant notes the version of a Grant that is seen for the first time.
func (w *witness) sawGrant(grant *v1alpha1.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.grants[grant.UID]; !known {
		w.grants[grant.UID] = grant.ResourceVersion
		delete(w.absent, identityOf(grant))
	}
}

// adoptGrant notes that this process has put its finalizer on a Grant.
func (w *witness) adoptGrant(grant *v1alpha1.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made[grant.UID] = true
}

// makeGrant makes a Grant, and notes that this process did. The cache may show it before the API server has answered.
func (w *witness) makeGrant(grant *v1alpha1.Grant, create func() error) error {
	key := client.ObjectKeyFromObject(grant)
	w.mu.Lock()
	w.making[key] = true
	w.mu.Unlock()
	err := create()
	if err == nil {
		w.sawGrant(grant)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.making, key)
	if err == nil {
		w.made[grant.UID] = true
	}
	return err
}

// sawDeletion notes that an object was deleted, in which version of the whole.
func (w *witness) sawDeletion(object client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	if grant, ok := object.(*v1alpha1.Grant); ok {
		delete(w.grants, grant.UID)
		delete(w.made, grant.UID)
	}
	w.deletions[identityOf(object)] = deletion{object.GetResourceVersion(), now}
	if now.Sub(w.purged) > deletionsKept {
		w.purged = now
		maps.DeleteFunc(w.deletions, func(_ identity, d deletion) bool { return now.Sub(d.at) > deletionsKept })
		maps.DeleteFunc(w.absent, func(_ identity, a absence) bool { return now.Sub(a.last) > deletionsKept })
	}
}

// deletedUnder returns when an object was seen being deleted, if that was after a Grant was first seen. What was
// deleted before the Grant was there, as when a namespace is deleted and restored, is no order about it, in whatever
// order this process is told. All our kinds are versioned together.
func (w *witness) deletedUnder(grant *v1alpha1.Grant, object identity) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, known := w.grants[grant.UID]
	deleted, found := w.deletions[object]
	if !known || !found {
		return time.Time{}, false
	}
	later, err := resourceversion.CompareResourceVersion(deleted.version, seen)
	return deleted.at, err == nil && later > 0
}

// deletedAfter reports whether an object was seen being deleted after a version.
func (w *witness) deletedAfter(object identity, version string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	deleted, found := w.deletions[object]
	if !found {
		return false
	}
	later, err := resourceversion.CompareResourceVersion(deleted.version, version)
	return err == nil && later > 0
}

// absentSince notes that an object is not there, and returns since when. What was not looked for in a long time may
// have been there meanwhile.
func (w *witness) absentSince(object identity) time.Time {
	return w.lastingSince(object, deletionsKept)
}

// lastingSince notes that something is the case, and returns since when it has been without a gap.
func (w *witness) lastingSince(object identity, gap time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	is, found := w.absent[object]
	if !found || now.Sub(is.last) > gap {
		is.since = now
	}
	is.last = now
	w.absent[object] = is
	return is.since
}

// present notes that an object is there.
func (w *witness) present(object identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.absent, object)
}

// foreign reports whether a Grant came into the cluster in another way than the planner's or a person's: it is planned,
// or has been under the operator's care before, since it has the finalizer, yet nobody has looked at it. So it comes
// from a backup; or it was made by a process that ended before it could look, which the same caution does no harm to.
func (w *witness) foreign(grant *v1alpha1.Grant) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := grant.Planned() || controllerutil.ContainsFinalizer(grant, v1alpha1.FinalizerGrant)
	return known && grant.Status.ObservedGeneration < 0 && !w.made[grant.UID] &&
		!w.making[client.ObjectKeyFromObject(grant)]
}

// doubtful reports whether what a Grant comes from may never have been seen in this cluster, so that its absence is no
// order unless it was seen being deleted.
func doubtful(grant *v1alpha1.Grant) bool {
	return grant.Status.ObservedGeneration < 0 || grant.Status.RestoredAt != nil
}
