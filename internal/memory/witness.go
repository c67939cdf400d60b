// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

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
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// deletionsKept is for how long a deletion is remembered. One that nobody acted upon by then, since the institution was
// suspended for one, counts like one that happened while this process was down.
const deletionsKept = time.Hour

// Witness remembers what this process saw, on a standby too: an absence is an order only if a presence went before it.
// A restart begins anew.
type Witness struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// grants has the version of each Grant when it was seen first.
	grants map[types.UID]string
	// made are those of them that this process made or adopted, and making those that it is making.
	made   map[types.UID]bool
	making map[client.ObjectKey]bool
	// deletions are what was seen being deleted.
	deletions map[Identity]deletion
	purged    time.Time
	// absent is since when something is not there.
	absent kube.Since[Identity]
}

// Identity is an object of our group, or what there is to know about one.
type Identity struct {
	Kind string
	client.ObjectKey
}

// IdentityOf returns which object this is.
func IdentityOf(object client.Object) Identity {
	return Identity{reflect.TypeOf(object).Elem().Name(), client.ObjectKeyFromObject(object)}
}

// CompletionNamed returns which object a completion is.
func CompletionNamed(namespace string, name v1alpha1.LocalName) Identity {
	return Identity{"CourseCompletion", client.ObjectKey{Namespace: namespace, Name: string(name)}}
}

// PolicyNamed returns which object a policy is.
func PolicyNamed(namespace string, name v1alpha1.LocalName) Identity {
	return Identity{"CompletionPolicy", client.ObjectKey{Namespace: namespace, Name: string(name)}}
}

// GrantNamed returns which object a Grant is.
func GrantNamed(key client.ObjectKey) Identity { return Identity{"Grant", key} }

type deletion struct {
	version string
	at      time.Time
}

// NewWitness returns a witness that has seen nothing yet.
func NewWitness(c clock.PassiveClock) *Witness {
	return &Witness{clock: c, grants: map[types.UID]string{}, made: map[types.UID]bool{},
		making: map[client.ObjectKey]bool{}, deletions: map[Identity]deletion{}}
}

// Watch has the witness see what the cache sees.
func (w *Witness) Watch(ctx context.Context, informers cache.Cache) error {
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
func (w *Witness) sawGrant(grant *v1alpha1.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.grants[grant.UID]; !known {
		w.grants[grant.UID] = grant.ResourceVersion
		w.absent.End(IdentityOf(grant))
	}
}

// AdoptGrant notes that this process has put its finalizer on a Grant.
func (w *Witness) AdoptGrant(grant *v1alpha1.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made[grant.UID] = true
}

// MakeGrant makes a Grant, and notes that this process did. The cache may show it before the API server has answered.
func (w *Witness) MakeGrant(grant *v1alpha1.Grant, create func() error) error {
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
func (w *Witness) sawDeletion(object client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	if grant, ok := object.(*v1alpha1.Grant); ok {
		delete(w.grants, grant.UID)
		delete(w.made, grant.UID)
	}
	w.deletions[IdentityOf(object)] = deletion{object.GetResourceVersion(), now}
	if now.Sub(w.purged) > deletionsKept {
		w.purged = now
		maps.DeleteFunc(w.deletions, func(_ Identity, d deletion) bool { return now.Sub(d.at) > deletionsKept })
	}
}

// DeletedUnder returns when an object was seen being deleted, if that was after a Grant was first seen. What was
// deleted before the Grant was there, as when a namespace is deleted and restored, is no order about it, in whatever
// order this process is told. All our kinds are versioned together.
func (w *Witness) DeletedUnder(grant *v1alpha1.Grant, object Identity) (time.Time, bool) {
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

// DeletedAfter reports whether an object was seen being deleted after a version.
func (w *Witness) DeletedAfter(object Identity, version string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	deleted, found := w.deletions[object]
	if !found {
		return false
	}
	later, err := resourceversion.CompareResourceVersion(deleted.version, version)
	return err == nil && later > 0
}

// AbsentSince notes that an object is not there, and returns since when. What was not looked for in a long time may
// have been there meanwhile.
func (w *Witness) AbsentSince(object Identity) time.Time {
	return w.LastingSince(object, deletionsKept)
}

// LastingSince notes that something is the case, and returns since when it has been without a gap.
func (w *Witness) LastingSince(object Identity, gap time.Duration) time.Time {
	return w.absent.Lasting(object, w.clock.Now(), gap)
}

// Present notes that an object is there.
func (w *Witness) Present(object Identity) { w.absent.End(object) }

// Foreign reports whether a Grant came into the cluster in another way than the planner's or a person's: it is planned,
// or has been under the operator's care before, since it has the finalizer, yet nobody has looked at it. So it comes
// from a backup; or it was made by a process that ended before it could look, which the same caution does no harm to.
func (w *Witness) Foreign(grant *v1alpha1.Grant) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := grant.Planned() || controllerutil.ContainsFinalizer(grant, v1alpha1.FinalizerGrant)
	return known && grant.Status.ObservedGeneration < 0 && !w.made[grant.UID] &&
		!w.making[client.ObjectKeyFromObject(grant)]
}

// Doubtful reports whether what a Grant comes from may never have been seen in this cluster, so that its absence is no
// order unless it was seen being deleted.
func Doubtful(grant *v1alpha1.Grant) bool {
	return grant.Status.ObservedGeneration < 0 || grant.Status.RestoredAt != nil
}
