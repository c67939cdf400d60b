// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// reservationKept is for how long a namespace counts that was about to be made and that no watch has shown since.
const reservationKept = 10 * time.Minute

// purgeInterval is how often reservations of an institution that is full are looked through.
const purgeInterval = time.Minute

// NamespaceCounts knows which granted namespaces each institution has, so that none has more than its maxNamespaces. A
// restart counts anew what the cache has; what was reserved and not made by then is asked for again.
type NamespaceCounts struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// names has, by institution, the names, each with until when it counts without being seen; zero if it was seen.
	names map[institutionKey]map[string]time.Time
	// purged is when reservations of an institution that is full were looked through last.
	purged map[institutionKey]time.Time
}

type institutionKey struct{ namespace, id string }

// NewNamespaceCounts returns counts of nothing, until Watch.
func NewNamespaceCounts(c clock.PassiveClock) *NamespaceCounts {
	return &NamespaceCounts{clock: c, names: map[institutionKey]map[string]time.Time{},
		purged: map[institutionKey]time.Time{}}
}

// Watch counts what the cache has of granted namespaces.
func (c *NamespaceCounts) Watch(ctx context.Context, informers cache.Cache) error {
	informer, err := informers.GetInformer(ctx, &corev1.Namespace{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { c.seen(object) },
		UpdateFunc: func(_, object any) { c.seen(object) },
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			c.gone(object)
		},
	})
	if err != nil {
		return fmt.Errorf("watch namespaces: %w", err)
	}
	return nil
}

// grantedFor returns which institution a namespace was granted in.
func grantedFor(object any) (institutionKey, string, bool) {
	namespace, ok := object.(*corev1.Namespace)
	if !ok {
		return institutionKey{}, "", false
	}
	in, _, ok := strings.Cut(namespace.Annotations[v1alpha1.AnnotationGrant], "/")
	return institutionKey{in, namespace.Labels[v1alpha1.LabelInstitutionID]}, namespace.Name, ok
}

func (c *NamespaceCounts) seen(object any) {
	if key, name, ok := grantedFor(object); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.put(key, name, time.Time{})
	}
}

func (c *NamespaceCounts) gone(object any) {
	if key, name, ok := grantedFor(object); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.names[key], name)
	}
}

func (c *NamespaceCounts) put(key institutionKey, name string, until time.Time) {
	if c.names[key] == nil {
		c.names[key] = map[string]time.Time{}
	}
	c.names[key][name] = until
}

// Count returns how many namespaces an institution has.
func (c *NamespaceCounts) Count(institution *v1alpha1.Institution) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int32(min(len(c.names[keyOfInstitution(institution)]), int(v1alpha1.MaxNamespaces)))
}

func keyOfInstitution(institution *v1alpha1.Institution) institutionKey {
	return institutionKey{institution.Namespace, institution.Spec.ID.String()}
}

// Reserve reports whether an institution may have a namespace of a name. It counts from now on; one that it has already
// it may have.
func (c *NamespaceCounts) Reserve(institution *v1alpha1.Institution, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, now := keyOfInstitution(institution), c.clock.Now()
	if _, has := c.names[key][name]; has {
		return true
	}
	if most := int(institution.Spec.NamespacesAtMost()); len(c.names[key]) >= most {
		// Many wait where an institution is full, and each of them asks.
		if since := now.Sub(c.purged[key]); since >= 0 && since < purgeInterval {
			return false
		}
		c.purged[key] = now
		for name, until := range c.names[key] {
			if !until.IsZero() && until.Before(now) {
				delete(c.names[key], name)
			}
		}
		if len(c.names[key]) >= most {
			return false
		}
	}
	c.put(key, name, now.Add(reservationKept))
	return true
}
