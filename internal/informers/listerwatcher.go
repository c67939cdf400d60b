// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package informers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// listerWatcher tells the Keeper how another one fares.
type listerWatcher struct {
	keeper   *Keeper
	kind     string
	upstream toolscache.ListerWatcherWithContext
}

func (l *listerWatcher) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := l.upstream.ListWithContext(ctx, options)
	if err == nil {
		l.keeper.works(l.kind)
	}
	return list, err
}

func (l *listerWatcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	watching, err := l.upstream.WatchWithContext(ctx, options)
	if err != nil {
		return nil, err
	}
	passed := &passing{upstream: watching, events: make(chan watch.Event), stopped: make(chan struct{})}
	go passed.run(l.pass)
	return passed, nil
}

// List and Watch make it a ListerWatcher of old; the informer calls those with a context.
func (l *listerWatcher) List(options metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), options)
}

func (l *listerWatcher) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), options)
}

// pass lets through what the informer is to see: not what stands for an object that does not decode.
func (l *listerWatcher) pass(event watch.Event) (watch.Event, bool) {
	if event.Type == watch.Error {
		return event, true
	}
	l.keeper.works(l.kind)
	object, err := meta.Accessor(event.Object)
	if err != nil {
		return event, true
	}
	_, odd := event.Object.(*metav1.PartialObjectMetadata)
	if event.Type == watch.Deleted || !odd && !Undecodable(object) {
		l.keeper.forget(l.kind, object.GetUID())
	}
	return event, !odd
}

// passing is a watch of which some events are left out. It ends when the other one does, or is stopped.
type passing struct {
	upstream watch.Interface
	events   chan watch.Event
	stop     sync.Once
	stopped  chan struct{}
}

func (p *passing) run(pass func(watch.Event) (watch.Event, bool)) {
	defer close(p.events)
	for event := range p.upstream.ResultChan() {
		event, passes := pass(event)
		if !passes {
			continue
		}
		select {
		case p.events <- event:
		case <-p.stopped:
			return
		}
	}
}

func (p *passing) ResultChan() <-chan watch.Event { return p.events }

func (p *passing) Stop() {
	p.stop.Do(func() {
		close(p.stopped)
		p.upstream.Stop()
	})
}
