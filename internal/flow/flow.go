// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package flow shows the flow of graduates to Prometheus: completions that are stored, Grants by phase and what becomes
// of them, seats, and accesses that end soon. It counts what the watches tell, so a scrape lists nothing. Every replica
// of the controller-manager counts all of it, whether it leads or not: of several, the largest is right.
package flow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// maxMeasured is the age beyond which a delivery says nothing of how quickly the operator works: it comes from a
// backup, or waited for people.
const maxMeasured = 24 * time.Hour

// Flow is what is known of the flow of graduates. It is safe for concurrent use, and a restart loses the counters.
type Flow struct {
	clock clock.PassiveClock
	// granted measures how long it takes from a delivery to what it grants.
	granted prometheus.Histogram

	mu sync.Mutex
	// institutions has the ids of the Institutions by their keys.
	institutions map[types.NamespacedName]v1alpha1.PlatformID
	tenants      map[tenantKey]*tenant
	grants       map[types.NamespacedName]*grantRecord
	// courses has what each policy selects; pools has the pools. Both by namespace and name.
	courses map[string]map[string][]v1alpha1.PlatformID
	pools   map[string]map[string]pool
	// selected has the courses of each namespace that have a label of their own, ordered, as far as they were asked for.
	selected map[string][]v1alpha1.PlatformID
	// unplanned has when those completions were delivered that the planner has not looked at.
	unplanned map[types.NamespacedName]time.Time

	// shown is what was collected last, and at when that was.
	shown []prometheus.Metric
	at    time.Time
}

// tenantKey says whose an object is. Ids count within a namespace.
type tenantKey struct {
	namespace string
	id        v1alpha1.PlatformID
}

// tenant is what there is of one institution. Institutions that are not there have one too, which is not shown.
type tenant struct {
	completions map[v1alpha1.PlatformID]int
	// stored counts by the label of the course, so that a counter keeps its meaning when policies change.
	stored  map[string]float64
	phases  map[v1alpha1.GrantPhase]int
	changes map[changeKey]float64
}

// changeKey is something that happened to Grants of a policy.
type changeKey struct{ policy, change string }

// pool is how a SeatPool stands.
type pool struct{ capacity, taken, waiting int32 }

// New returns a Flow that knows nothing yet.
func New(c clock.PassiveClock) *Flow {
	return &Flow{
		clock: c,
		granted: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "completion_grant_duration_seconds",
			Help: "Time from the receipt of a delivery until everything it grants is in place. Excludes Grants that waited " +
				"for a person, a seat, a name or a policy.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
		}),
		institutions: map[types.NamespacedName]v1alpha1.PlatformID{},
		tenants:      map[tenantKey]*tenant{},
		grants:       map[types.NamespacedName]*grantRecord{},
		courses:      map[string]map[string][]v1alpha1.PlatformID{},
		pools:        map[string]map[string]pool{},
		selected:     map[string][]v1alpha1.PlatformID{},
		unplanned:    map[types.NamespacedName]time.Time{},
	}
}

// Register adds the metrics to a registry. Of several managers in one process, as tests have, the first is shown.
func (f *Flow) Register(registry prometheus.Registerer) error {
	err := registry.Register(f)
	if _, there := errors.AsType[prometheus.AlreadyRegisteredError](err); there {
		return nil
	}
	return err
}

// Watch counts what the caches have, from when they are started.
func (f *Flow) Watch(ctx context.Context, informers cache.Cache) error {
	for object, handler := range map[client.Object]toolscache.ResourceEventHandler{
		&v1alpha1.Institution{}:      handle(f.institutionSeen, f.institutionGone),
		&v1alpha1.CompletionPolicy{}: handle(f.policySeen, f.policyGone),
		&v1alpha1.SeatPool{}:         handle(f.poolSeen, f.poolGone),
		&v1alpha1.CourseCompletion{}: handle(f.completionSeen, f.completionGone),
		&v1alpha1.Grant{}:            handle(f.grantSeen, f.grantGone),
	} {
		informer, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	return nil
}

// how an object came to be seen.
type how int

const (
	// found means that it was there when the watch began.
	found how = iota
	// made means that it is new.
	made
	// changed means that it was seen before.
	changed
)

// handle returns a handler for objects of one type.
func handle[T client.Object](seen func(T, how), gone func(T)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, initial bool) {
			if typed, ok := object.(T); ok && initial {
				seen(typed, found)
			} else if ok {
				seen(typed, made)
			}
		},
		UpdateFunc: func(_, object any) {
			if typed, ok := object.(T); ok {
				seen(typed, changed)
			}
		},
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			if typed, ok := object.(T); ok {
				gone(typed)
			}
		},
	}
}

// of returns what is known of an institution.
func (f *Flow) of(key tenantKey) *tenant {
	known := f.tenants[key]
	if known == nil {
		known = &tenant{completions: map[v1alpha1.PlatformID]int{}, stored: map[string]float64{},
			phases: map[v1alpha1.GrantPhase]int{}, changes: map[changeKey]float64{}}
		f.tenants[key] = known
	}
	return known
}

func (f *Flow) institutionSeen(institution *v1alpha1.Institution, _ how) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.institutions[client.ObjectKeyFromObject(institution)] = institution.Spec.ID
}

func (f *Flow) institutionGone(institution *v1alpha1.Institution) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.institutions, client.ObjectKeyFromObject(institution))
	f.release(tenantKey{institution.Namespace, institution.Spec.ID})
}

func (f *Flow) policySeen(policy *v1alpha1.CompletionPolicy, _ how) {
	f.mu.Lock()
	defer f.mu.Unlock()
	put(f.courses, policy.Namespace, policy.Name, policy.Spec.Match.CourseIDs)
	delete(f.selected, policy.Namespace)
}

func (f *Flow) policyGone(policy *v1alpha1.CompletionPolicy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	remove(f.courses, policy.Namespace, policy.Name)
	delete(f.selected, policy.Namespace)
}

func (f *Flow) poolSeen(p *v1alpha1.SeatPool, _ how) {
	f.mu.Lock()
	defer f.mu.Unlock()
	number := func(n *int32) int32 {
		if n == nil {
			return 0
		}
		return *n
	}
	put(f.pools, p.Namespace, p.Name,
		pool{number(p.Spec.Capacity), number(p.Status.Taken), number(p.Status.Waiting)})
}

func (f *Flow) poolGone(p *v1alpha1.SeatPool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	remove(f.pools, p.Namespace, p.Name)
}

func put[V any](in map[string]map[string]V, namespace, name string, value V) {
	if in[namespace] == nil {
		in[namespace] = map[string]V{}
	}
	in[namespace][name] = value
}

func remove[V any](from map[string]map[string]V, namespace, name string) {
	if delete(from[namespace], name); len(from[namespace]) == 0 {
		delete(from, namespace)
	}
}

func (f *Flow) completionSeen(completion *v1alpha1.CourseCompletion, came how) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if key := client.ObjectKeyFromObject(completion); completion.Status.ObservedGeneration == completion.Generation {
		delete(f.unplanned, key)
	} else if at := deliveredAt(completion); f.clock.Since(at) < maxMeasured {
		f.unplanned[key] = at
	}
	if came == changed {
		// Neither the institution nor the course of a completion ever changes.
		return
	}
	key, course := tenantKey{completion.Namespace, completion.Spec.Institution.ID}, completion.Spec.Course.ID
	known := f.of(key)
	known.completions[course]++
	if came == made {
		known.stored[labelOf(course, f.coursesIn(key.namespace))]++
	}
}

func (f *Flow) completionGone(completion *v1alpha1.CourseCompletion) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.unplanned, client.ObjectKeyFromObject(completion))
	key, course := tenantKey{completion.Namespace, completion.Spec.Institution.ID}, completion.Spec.Course.ID
	known := f.of(key)
	if known.completions[course]--; known.completions[course] <= 0 {
		delete(known.completions, course)
	}
	f.release(key)
}

// release forgets an institution that is not there, and of which nothing is left.
func (f *Flow) release(key tenantKey) {
	known := f.tenants[key]
	if known == nil || len(known.completions) > 0 || len(known.phases) > 0 {
		return
	}
	for institution, id := range f.institutions {
		if institution.Namespace == key.namespace && id == key.id {
			// Its counters go on.
			return
		}
	}
	delete(f.tenants, key)
}

// deliveredAt returns when the delivery of a completion was received, which is in its delivery id.
func deliveredAt(completion *v1alpha1.CourseCompletion) time.Time {
	id, err := uuid.Parse(completion.Spec.Delivery.ID)
	if err != nil || id.Version() != 7 {
		return completion.CreationTimestamp.Time
	}
	return time.Unix(id.Time().UnixTime())
}
