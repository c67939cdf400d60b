// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package store puts deliveries where they are safe: into the API server as CourseCompletions, or where that does not
// take them now into the inbox, from which the drainer stores them later. It says what came of each, and lets people
// look at the inbox and decide about what is in it.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

const (
	// DiskTimeout bounds the wait for the disk. Whatever takes longer is not known to be kept.
	DiskTimeout = 5 * time.Second
	// unkeptTime is for how long a delivery that could not be kept counts. A pod that is not ready gets no others that
	// might show that it is over.
	unkeptTime = 30 * time.Second
)

// reasonErased is why a delivery is not stored that is about what was erased.
const reasonErased = "erased"

// Options are what a Store needs. Every field must be set.
type Options struct {
	Log   logr.Logger
	Clock clock.WithTicker
	Inbox *inbox.Inbox
	// Completions reads and writes live; see Connection.
	Completions client.Client
	// APITimeout bounds all requests for one delivery together. What takes longer goes to the inbox.
	APITimeout time.Duration
	// APIConcurrency is how many deliveries may be with the API at a time. What is more goes to the inbox.
	APIConcurrency int
	// DeadLetterRetention is how long dead letters are kept that nobody decides about; 0 is for ever.
	DeadLetterRetention time.Duration
	// Registry takes the metrics of the inbox.
	Registry prometheus.Registerer
}

// Store puts deliveries where they are safe: into the API, and where it does not take them now into the inbox.
type Store struct {
	log       logr.Logger
	clock     clock.WithTicker
	inbox     *inbox.Inbox
	erasures  *erasures
	gateway   *gateway
	drainer   *drainer
	measured  *inboxInstruments
	retention time.Duration
}

// New returns a Store that does nothing by itself before it runs.
func New(options Options) (*Store, error) {
	measured, err := newInboxInstruments(options.Registry, options.Inbox.Stats)
	if err != nil {
		return nil, err
	}
	registers := newErasures(options.Completions)
	api := &gateway{
		log: options.Log, clock: options.Clock, erasures: registers,
		recorder: recorder{client: options.Completions, timeout: options.APITimeout, erasures: registers},
		permits:  newPermits(options.APIConcurrency),
		breaker:  newBreaker(options.Clock),
	}
	return &Store{
		log: options.Log, clock: options.Clock, inbox: options.Inbox, erasures: registers, gateway: api,
		drainer:  newDrainer(options.Log, options.Inbox, api, measured),
		measured: measured, retention: options.DeadLetterRetention,
	}, nil
}

// FollowErasures has the Store know the ErasureRegisters by an informer.
func (s *Store) FollowErasures(informer Informer) error { return s.erasures.observe(informer) }

// Run stores what the inbox has, and drops from it what must not stay, until ctx ends. It then lets those finish that
// are being tried. A Store runs once.
func (s *Store) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.drainer.run(ctx) })
	running.Go(func() { s.expire(ctx) })
	running.Go(func() { s.forget(ctx) })
	running.Wait()
}

// Empty waits until the inbox is empty or all that it has must wait for the API, or until ctx ends.
func (s *Store) Empty(ctx context.Context) { s.drainer.empty(ctx) }

// Administration answers those who may decide about what is in the inbox.
func (s *Store) Administration() http.Handler { return (&admin{store: s}).handler() }

// APIAway tells that the API is known not to take anything.
func (s *Store) APIAway() bool {
	away, _ := s.gateway.breaker.away()
	return away
}

// Result is what came of a delivery.
type Result struct {
	Outcome Outcome
	// Reason says why the delivery is not in the API, or not even in the inbox; empty where it is in the API.
	Reason string
}

// Put makes a delivery safe. The result is never better than what has happened: where it says so, the API has it, or
// the disk. What was erased is kept by neither.
func (s *Store) Put(ctx context.Context, completion *v1alpha1.CourseCompletion, received time.Time) Result {
	if erased, _ := s.erasures.known(completion); erased {
		return Result{Outcome: Erased, Reason: reasonErased}
	}
	s.gateway.unkept.saw(completion.Namespace)
	out, refused := s.tryAPI(ctx, completion)
	if refused == nil {
		return resultOf(out)
	}
	kept, err := s.keep(ctx, completion, received, *refused)
	if err != nil {
		if refused.scope == scopeNamespace {
			s.gateway.unkept.note(completion.Namespace, s.clock.Now())
		}
		s.log.Error(err, "Could not keep delivery", "deliveryID", completion.Spec.Delivery.ID,
			"completion", client.ObjectKeyFromObject(completion), "reason", refused.reason)
		return Result{Outcome: Unavailable, Reason: reasonOfInbox(err)}
	}
	s.gateway.unkept.forget()
	return Result{Outcome: kept, Reason: refused.reason}
}

// resultOf is what came of a delivery that the inbox need not keep.
func resultOf(out Outcome) Result {
	if out == Erased {
		return Result{Outcome: out, Reason: reasonErased}
	}
	return Result{Outcome: out}
}

// NeedsInbox tells whether deliveries cannot do without the inbox: the API is away, or refuses those of everybody, as
// far as that is known. One namespace that takes nothing is no reason to keep the deliveries of all others away.
func (s *Store) NeedsInbox() bool {
	if s.APIAway() {
		return true
	}
	return s.gateway.unkept.ofAll(s.clock.Now())
}

// unkept knows of which namespaces deliveries came that neither the API nor the inbox took, since one was made safe.
type unkept struct {
	// any spares those that were made safe the lock.
	any atomic.Bool
	// first is the first namespace that a delivery was for, others tells that there was another one.
	first  atomic.Pointer[string]
	others atomic.Bool

	mu sync.Mutex
	// last is when the last one came, of two namespaces at most.
	last map[string]time.Time
}

// saw notes that a delivery came for a namespace.
func (u *unkept) saw(namespace string) {
	if !u.others.Load() && !u.first.CompareAndSwap(nil, &namespace) && *u.first.Load() != namespace {
		u.others.Store(true)
	}
}

func (u *unkept) note(namespace string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.last, func(_ string, at time.Time) bool { return now.Sub(at) >= unkeptTime })
	if _, known := u.last[namespace]; !known && len(u.last) > 1 {
		namespace = slices.Sorted(maps.Keys(u.last))[0]
	}
	if u.last == nil {
		u.last = make(map[string]time.Time, 2)
	}
	u.last[namespace] = now
	u.any.Store(true)
}

// forget is for when something was made safe.
func (u *unkept) forget() {
	if !u.any.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.last)
	u.any.Store(false)
}

// ofAll tells whether they were of several namespaces, or of the only one there is.
func (u *unkept) ofAll(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	count := 0
	for _, at := range u.last {
		if now.Sub(at) < unkeptTime {
			count++
		}
	}
	return count > 1 || count == 1 && !u.others.Load()
}

// tryAPI has the API record a delivery, unless it is known to be away or has its hands full.
func (s *Store) tryAPI(ctx context.Context, completion *v1alpha1.CourseCompletion) (Outcome, *refusal) {
	// The drainer probes as long as it has something to probe with, and a delivery that may probe has nothing to lose
	// where it cannot be kept.
	stats := s.inbox.Stats()
	if s.APIAway() && stats.Records > 0 && stats.Failure == nil && !stats.Full() {
		return "", &refusal{reason: reasonAPIAway, scope: scopeAPI}
	}
	p, reason := s.gateway.acquireLive(ctx, completion.Namespace)
	if reason != "" {
		return "", &refusal{reason: reason, scope: scopeAPI}
	}
	out, refused := s.gateway.record(ctx, completion, p)
	if refused == nil && out != Erased {
		s.drainer.recovered(completion.Namespace)
	}
	return out, refused
}

// keep writes a delivery to the disk: to those that wait, or to the dead letters where the API refuses it for good.
func (s *Store) keep(
	ctx context.Context, completion *v1alpha1.CourseCompletion, received time.Time, refused refusal,
) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, DiskTimeout)
	defer cancel()
	record, err := newRecord(completion, received, refused.reason)
	if err != nil {
		return "", err
	}
	if refused.scope == scopeForGood {
		record.Attempts = 1
		return Held, s.inbox.Hold(ctx, record)
	}
	return Queued, s.inbox.Put(ctx, record)
}

// newRecord returns what the inbox keeps of a delivery.
func newRecord(completion *v1alpha1.CourseCompletion, received time.Time, reason string) (*inbox.Record, error) {
	data, err := json.Marshal(&completion.Spec)
	if err != nil {
		return nil, fmt.Errorf("encoding a delivery for the inbox: %w", err)
	}
	return &inbox.Record{
		Received: received, DeliveryID: completion.Spec.Delivery.ID,
		Namespace: completion.Namespace, Name: completion.Name, Reason: reason, Data: data,
	}, nil
}

// completionOf returns the delivery that the inbox has kept.
func completionOf(record *inbox.Record) (*v1alpha1.CourseCompletion, error) {
	var spec v1alpha1.CourseCompletionSpec
	if err := json.Unmarshal(record.Data, &spec); err != nil {
		return nil, errors.New("the record contains no delivery that this version can decode")
	}
	return NewCompletion(record.Namespace, spec), nil
}

// reasonOfInbox says in a word why a delivery could not be kept.
func reasonOfInbox(err error) string {
	switch {
	case errors.Is(err, inbox.ErrFull):
		return "inbox-full"
	case errors.Is(err, inbox.ErrShare):
		return "inbox-share-full"
	}
	return "inbox-failing"
}
