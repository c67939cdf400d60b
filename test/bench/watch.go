// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	clientwatch "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// observer notes when the objects of a kind first came to be as a figure waits for.
type observer struct {
	what  string
	watch watch.Interface

	mu   sync.Mutex
	seen map[string]time.Time
	// more has something in it after another one was seen, and is closed when the watch has ended.
	more chan struct{}
}

// observe watches a kind from now on, in a namespace or in all where it is empty. Key returns the name under which an
// object is noted, empty as long as it is not as it is waited for.
func (w *world) observe(
	ctx context.Context, what string, list client.ObjectList, namespace string,
	key func(watch.EventType, client.Object) string,
) (*observer, error) {
	if err := w.admin.List(ctx, list, client.InNamespace(namespace), client.Limit(1)); err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	from := list.GetResourceVersion()
	// The API server ends the watch of who does not keep up, as on a busy machine: it goes on where it ended.
	started, err := clientwatch.NewRetryWatcherWithContext(ctx, from, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return w.admin.Watch(ctx, list, client.InNamespace(namespace), &client.ListOptions{Raw: &options})
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", what, err)
	}
	o := &observer{what: what, watch: started, seen: map[string]time.Time{}, more: make(chan struct{}, 1)}
	go o.run(key)
	return o, nil
}

func (o *observer) run(key func(watch.EventType, client.Object) string) {
	defer close(o.more)
	for event := range o.watch.ResultChan() {
		object, ok := event.Object.(client.Object)
		if !ok {
			continue
		}
		name := key(event.Type, object)
		if name == "" {
			continue
		}
		now := time.Now()
		o.mu.Lock()
		if _, known := o.seen[name]; !known {
			o.seen[name] = now
		}
		o.mu.Unlock()
		select {
		case o.more <- struct{}{}:
		default:
		}
	}
}

func (o *observer) stop() { o.watch.Stop() }

// at returns when an object was seen.
func (o *observer) at(name string) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, found := o.seen[name]
	return at, found
}

// spread returns how long it took from the first that was seen to the last.
func (o *observer) spread() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	var first, last time.Time
	for _, at := range o.seen {
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(first)
}

// count returns how many were seen.
func (o *observer) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

// await waits until n objects were seen.
func (o *observer) await(ctx context.Context, n int) error {
	return o.until(ctx, fmt.Sprintf("%d", n), func() bool { return o.count() >= n })
}

// awaitOne waits until one object was seen and returns when that was.
func (o *observer) awaitOne(ctx context.Context, name string) (time.Time, error) {
	var at time.Time
	err := o.until(ctx, name, func() (found bool) {
		at, found = o.at(name)
		return found
	})
	return at, err
}

func (o *observer) until(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for !done() {
		select {
		case _, open := <-o.more:
			if !open && !done() {
				return fmt.Errorf("the watch of %s has ended", o.what)
			}
		case <-ctx.Done():
			return fmt.Errorf("%s of %s: %d seen within %s", what, o.what, o.count(), settleTimeout)
		}
	}
	return nil
}

// named notes objects under their names as soon as they have a property.
func named(has func(client.Object) bool) func(watch.EventType, client.Object) string {
	return func(kind watch.EventType, object client.Object) string {
		if kind == watch.Deleted || !has(object) {
			return ""
		}
		return object.GetName()
	}
}

// placed notes objects under their namespaces as soon as they have a property.
func placed(has func(client.Object) bool) func(watch.EventType, client.Object) string {
	return func(kind watch.EventType, object client.Object) string {
		if kind == watch.Deleted || !has(object) {
			return ""
		}
		return object.GetNamespace()
	}
}

// deleted notes objects under their namespace and name once they have gone.
func deleted(kind watch.EventType, object client.Object) string {
	if kind != watch.Deleted {
		return ""
	}
	return object.GetNamespace() + "/" + object.GetName()
}

// told reports whether a completion has a status for what it says.
func told(object client.Object) bool {
	completion := object.(*v1alpha1.CourseCompletion)
	return completion.Status.ObservedGeneration == completion.Generation
}

// ready reports whether a completion is Ready.
func ready(object client.Object) bool {
	completion := object.(*v1alpha1.CourseCompletion)
	return meta.IsStatusConditionTrue(completion.Status.Conditions, v1alpha1.ConditionReady)
}

func anything(client.Object) bool { return true }
