// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// register counts how often it is read. Each read takes a second, and says what was so when it began.
type register struct {
	mu    sync.Mutex
	reads int
	now   string
	err   error
}

func (s *register) read(context.Context) (string, error) {
	s.mu.Lock()
	s.reads++
	was, err := s.now, s.err
	s.mu.Unlock()
	<-time.After(time.Second)
	return was, err
}

func (s *register) set(now string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.err = now, err
}

func TestBatchedReadBeganAfterItWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reads, asking := &register{now: "old"}, &Batched[string, string]{}, sync.WaitGroup{}
		ask := func(key, want string, wantErr error) {
			asking.Go(func() {
				if got, err := reads.Read(t.Context(), key, s.read); got != want || !errors.Is(err, wantErr) {
					t.Errorf("read %q and %v, want %q and %v", got, err, want, wantErr)
				}
			})
			synctest.Wait()
		}
		ask("school", "old", nil)
		s.set("new", nil)
		// The read that is under way does not show what is new: all of them wait for the next.
		for range 20 {
			ask("school", "new", nil)
		}
		ask("college", "new", nil)
		asking.Wait()
		if s.reads != 3 {
			t.Errorf("%d reads, want 3", s.reads)
		}
		away := errors.New("away")
		s.set("", away)
		ask("school", "", away)
		s.set("back", nil)
		ask("school", "back", nil)
		asking.Wait()
	})
}

// Who gives up takes the answer from nobody else.
func TestBatchedReadGoesOnWithoutWhoGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reads, asking := &register{now: "new"}, &Batched[string, string]{}, sync.WaitGroup{}
		asking.Go(func() { _, _ = reads.Read(t.Context(), "school", s.read) })
		synctest.Wait()
		ctx, giveUp := context.WithCancel(t.Context())
		asking.Go(func() {
			if _, err := reads.Read(ctx, "school", s.read); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that it was given up", err)
			}
		})
		synctest.Wait()
		asking.Go(func() {
			if got, err := reads.Read(t.Context(), "school", s.read); got != "new" || err != nil {
				t.Errorf("got %q and %v", got, err)
			}
		})
		synctest.Wait()
		giveUp()
		asking.Wait()
		if s.reads != 2 {
			t.Errorf("%d reads, want 2", s.reads)
		}
	})
}
