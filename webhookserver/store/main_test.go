// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// fakeAPI is an API that takes what a test lets it take, and remembers what it was asked for.
type fakeAPI struct {
	client.Client

	mu sync.Mutex
	// answer is what it says to a delivery; nil takes everything.
	answer func(*v1alpha1.CourseCompletion) error
	// tried and stored are the names of completions, tried with the times.
	tried  []string
	at     []time.Time
	stored []string
}

func (a *fakeAPI) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	a.mu.Lock()
	answer := a.answer
	a.tried, a.at = append(a.tried, object.GetName()), append(a.at, time.Now())
	a.mu.Unlock()
	if answer != nil {
		if err := answer(object.(*v1alpha1.CourseCompletion)); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stored = append(a.stored, object.GetName())
	return nil
}

// Get is for probes alone.
func (a *fakeAPI) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "coursecompletions"}, "probe")
}

func (a *fakeAPI) does(answer func(*v1alpha1.CourseCompletion) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// seen returns what was tried and when, and what was stored.
func (a *fakeAPI) seen() (tried []string, at []time.Time, stored []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(tried, a.tried...), append(at, a.at...), append(stored, a.stored...)
}

var errForbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "coursecompletions"}, "", nil)

func forbids(*v1alpha1.CourseCompletion) error { return errForbidden }

// newStore returns one that does not run, with an API if it needs one. Nobody was erased.
func newStore(t *testing.T, maxBytes int64, api client.Client, change ...func(*Options)) *Store {
	t.Helper()
	opened, err := inbox.Open(filepath.Join(t.TempDir(), "inbox.db"), inbox.Options{MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	options := Options{
		Log: logr.Discard(), Clock: clock.RealClock{}, Inbox: opened, Completions: api, APITimeout: time.Minute,
		APIConcurrency: 1, Registry: prometheus.NewRegistry(),
	}
	for _, c := range change {
		c(&options)
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	s.erasures, s.gateway.erasures, s.gateway.recorder.erasures = nil, nil, nil
	t.Cleanup(s.drainer.queue.ShutDown)
	return s
}

// drain has a store drain until the test ends, or until what it returns is called.
func drain(t *testing.T, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.drainer.run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// await waits as long as something takes on the clock of a bubble.
func await(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); <-time.After(10 * time.Millisecond) {
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// completionFor is one of a namespace, whose name says its number.
func completionFor(namespace string, n int64) *v1alpha1.CourseCompletion {
	spec := v1alpha1.CourseCompletionSpec{}
	spec.Institution.ID, spec.Course.ID, spec.Enrollment.ID, spec.User.ID = 1, 2, v1alpha1.PlatformID(n), 4
	return NewCompletion(namespace, spec)
}

func recordFor(t *testing.T, namespace string, n int64) *inbox.Record {
	t.Helper()
	record, err := newRecord(completionFor(namespace, n), noon.Add(time.Duration(n)*time.Second), "api-timeout")
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// keep puts the record of a number into the inbox.
func keep(t *testing.T, s *Store, namespace string, n int64) *inbox.Record {
	t.Helper()
	record := recordFor(t, namespace, n)
	if err := s.inbox.Put(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	return record
}

func nameOf(n int64) string { return completionFor("", n).Name }

func namesOf(n int64) (names []string) {
	for k := range n {
		names = append(names, nameOf(k))
	}
	return names
}
