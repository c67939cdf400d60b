// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// The drainer of these tests runs in bubbles, in which time passes when everybody waits for it.

func TestNamespacesTakeTurnsWhenTheInboxIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One at a time, so that the order is that of the turns. It takes its time, in which both come into the queue.
		api := &fakeAPI{answer: func(*v1alpha1.CourseCompletion) error {
			<-time.After(time.Millisecond)
			return nil
		}}
		s := newStore(t, 64<<20, api, func(o *Options) { o.APIConcurrency = 0 })
		for n := range int64(200) {
			keep(t, s, "a", n)
		}
		keep(t, s, "b", 1000)
		drain(t, s)
		await(t, time.Minute, "the inbox is emptied", func() bool { return s.inbox.Stats().Records == 0 })
		tried, _, _ := api.seen()
		if at := slices.Index(tried, nameOf(1000)); at < 0 || at > 2 {
			t.Errorf("the other namespace had its turn after %d of the first", at)
		}
		tried = slices.DeleteFunc(tried, func(name string) bool { return name == nameOf(1000) })
		if diff := cmp.Diff(namesOf(200), tried); diff != "" {
			t.Errorf("not the oldest first (-want +got):\n%s", diff)
		}
	})
}

// The API may refuse a single delivery with words that sound like all of its namespace.
func TestARecordThatIsAlwaysRefusedHoldsUpOnlyItself(t *testing.T) {
	const behind = 200
	for _, tc := range []struct {
		name    string
		refused error
	}{
		{"forbidden", errForbidden},
		{"too slow", context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fakeAPI{answer: func(completion *v1alpha1.CourseCompletion) error {
					if completion.Name == nameOf(0) {
						return tc.refused
					}
					return nil
				}}
				s := newStore(t, 64<<20, api, func(o *Options) { o.APIConcurrency = 0 })
				for n := range int64(behind + 1) {
					keep(t, s, "a", n)
				}
				drain(t, s)
				<-time.After(20 * time.Second)
				tried, _, stored := api.seen()
				tries := len(tried) - len(stored)
				if len(stored) != behind || tries < 2 {
					t.Errorf("%d of %d stored after the oldest was tried %d times", len(stored), behind, tries)
				}
			})
		})
	}
}

// Where nothing is taken, one record after the other is tried, ever more rarely, and then the oldest again.
func TestANamespaceThatTakesNothingIsTriedWithEachOfItsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: forbids}
		s := newStore(t, 64<<20, api, func(o *Options) { o.APIConcurrency = 0 })
		<-time.After(startTime)
		for n := range int64(3) {
			keep(t, s, "a", n)
		}
		drain(t, s)
		<-time.After(10 * time.Minute)
		tried, at, _ := api.seen()
		for n, name := range tried {
			if want := nameOf(int64(n % 3)); name != want {
				t.Fatalf("tried %v: %s at place %d, want %s", tried, name, n, want)
			}
		}
		if len(tried) < 9 || len(tried) > 30 {
			t.Fatalf("tried %d times in ten minutes", len(tried))
		}
		if last := at[len(at)-1].Sub(at[len(at)-2]); last < maxRetry/2 || last > 2*maxRetry {
			t.Errorf("the last wait was %s", last)
		}
	})
}

// One namespace that takes nothing delays no other.
func TestANamespaceThatTakesNothingHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: func(completion *v1alpha1.CourseCompletion) error {
			if completion.Namespace == "a" {
				return errForbidden
			}
			return nil
		}}
		s := newStore(t, 64<<20, api)
		for n := range int64(100) {
			keep(t, s, "a", n)
		}
		keep(t, s, "b", 100)
		drain(t, s)
		await(t, time.Second, "the other is stored", func() bool { return s.inbox.Stats().Records == 100 })
		// One that comes later as well.
		<-time.After(time.Minute)
		keep(t, s, "b", 101)
		await(t, time.Second, "the other is stored", func() bool { return s.inbox.Stats().Records == 100 })
	})
}

// Its records are not all tried at once each time that its backoff is over.
func TestANamespaceThatTakesNothingIsTriedWithOneRecordAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: func(*v1alpha1.CourseCompletion) error {
			<-time.After(time.Second)
			return errForbidden
		}}
		s := newStore(t, 64<<20, api, func(o *Options) { o.APIConcurrency = 8 })
		for n := range int64(50) {
			keep(t, s, "a", n)
		}
		drain(t, s)
		<-time.After(2 * time.Minute)
		before, _, _ := api.seen()
		<-time.After(10 * time.Minute)
		after, at, _ := api.seen()
		for n := len(before); n < len(after); n++ {
			if wait := at[n].Sub(at[n-1]); wait < time.Second {
				t.Errorf("%s and %s were tried within %s", after[n-1], after[n], wait)
			}
		}
		if len(after) == len(before) {
			t.Error("none is tried any more")
		}
	})
}

// An API server that has just started refuses everybody for as long as it does not know the rights.
func TestAnAPIThatCameBackIsNotMistrustedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: forbids}
		s := newStore(t, 64<<20, api)
		s.gateway.breaker.report(attempt{}, true, 0)
		<-time.After(time.Hour)
		s.gateway.breaker.report(attempt{probe: true}, false, 0)
		keep(t, s, "a", 1)
		drain(t, s)
		<-time.After(startTime - 5*time.Second)
		_, at, _ := api.seen()
		for n := range at[1:] {
			if wait := at[n+1].Sub(at[n]); wait > maxSlowRetry*3/2+time.Second {
				t.Errorf("%s between two attempts", wait)
			}
		}
		api.does(nil)
		await(t, 2*maxSlowRetry, "it is stored", func() bool { return s.inbox.Stats().Records == 0 })
	})
}

// A live delivery that the API takes says that its namespace is all right.
func TestALiveDeliveryThatIsTakenEndsTheWaitOfItsNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: forbids}
		s := newStore(t, 64<<20, api)
		<-time.After(startTime)
		for n := range int64(2) {
			keep(t, s, "a", n)
		}
		drain(t, s)
		waits := func() time.Duration {
			s.drainer.mu.Lock()
			defer s.drainer.mu.Unlock()
			return time.Until(s.drainer.retries.of("a").until)
		}
		await(t, time.Hour, "it waits for long", func() bool { return waits() > 10*time.Second })
		api.does(nil)
		for _, step := range []struct {
			namespace string
			n         int64
			want      int
		}{{"another", 7, 2}, {"a", 8, 0}} {
			result := s.Put(t.Context(), completionFor(step.namespace, step.n), time.Now())
			if result != (Result{Outcome: Created}) {
				t.Fatalf("a live delivery: %+v", result)
			}
			<-time.After(time.Second)
			if left := s.inbox.Stats().Records; left != step.want {
				t.Errorf("%d left a second after a delivery for %s was taken, want %d", left, step.namespace, step.want)
			}
		}
	})
}

// While the API is away, what is in the inbox is tried as rarely as the breaker allows, and stored once it is back.
func TestTheInboxIsDrainedOnceTheAPIIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: func(*v1alpha1.CourseCompletion) error { return net.ErrClosed }}
		s := newStore(t, 64<<20, api, func(o *Options) { o.APIConcurrency = 0 })
		for n := range int64(20) {
			keep(t, s, "a", n)
		}
		drain(t, s)
		<-time.After(10 * time.Minute)
		tried, _, _ := api.seen()
		if len(tried) < 60 || len(tried) > 600 {
			t.Errorf("tried %d times in ten minutes", len(tried))
		}
		if !s.APIAway() || s.inbox.Stats().Records != 20 {
			t.Fatalf("away %t, %d in the inbox", s.APIAway(), s.inbox.Stats().Records)
		}
		api.does(nil)
		await(t, 2*maxAPIWait, "all are stored", func() bool { return s.inbox.Stats().Records == 0 })
		_, _, stored := api.seen()
		if stored[0] != nameOf(0) || len(stored) != 20 {
			t.Errorf("stored %v, want each once and the oldest first", stored)
		}
	})
}

func TestADeadLetterThatIsRetriedDuringAnOutageIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: func(*v1alpha1.CourseCompletion) error { return net.ErrClosed }}
		s := newStore(t, 64<<20, api)
		dead := keep(t, s, "a", 1)
		if err := s.inbox.Bury(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		keep(t, s, "a", 2)
		drain(t, s)
		<-time.After(time.Minute)
		// Even where the API is not to be asked for long.
		s.gateway.breaker.report(attempt{probe: true}, true, time.Hour)
		tried, _, _ := api.seen()
		api.does(nil)
		if status, text := administer(t, s, http.MethodPost, "/records/1/retry"); status != http.StatusNoContent {
			t.Fatal(status, text)
		}
		await(t, 2*maxAPIWait, "both are stored", func() bool { return s.inbox.Stats().Records == 0 })
		again, _, _ := api.seen()
		if !slices.Contains(again[len(tried):], nameOf(1)) {
			t.Errorf("tried %v", again[len(tried):])
		}
	})
}

// A delivery that has just come must not be left behind by a server that stops, and one that must wait does not hold it
// up.
func TestAnInboxIsEmptiedOfWhatNeedNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: func(completion *v1alpha1.CourseCompletion) error {
			if completion.Namespace == "a" {
				return errForbidden
			}
			<-time.After(time.Second)
			return nil
		}}
		s := newStore(t, 64<<20, api)
		keep(t, s, "a", 1)
		drain(t, s)
		<-time.After(10 * time.Minute)
		for n := range int64(3) {
			keep(t, s, "b", 10+n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s.Empty(ctx)
		if ctx.Err() != nil || s.inbox.Stats().Records != 1 {
			t.Errorf("%v, and %d are left, want the one that must wait", ctx.Err(), s.inbox.Stats().Records)
		}
		api.does(func(*v1alpha1.CourseCompletion) error { return net.ErrClosed })
		keep(t, s, "b", 20)
		s.Empty(ctx)
		if ctx.Err() != nil || s.inbox.Stats().Records != 2 {
			t.Errorf("%v, and %d are left, want what must wait for the API", ctx.Err(), s.inbox.Stats().Records)
		}
	})
}

// What is being tried when the drainer has to end is tried to the end, and removed.
func TestTheDrainerEndsGracefully(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeAPI{answer: func(*v1alpha1.CourseCompletion) error {
			<-time.After(time.Second)
			return nil
		}}
		s := newStore(t, 64<<20, api, func(o *Options) { o.APIConcurrency = 0 })
		for n := range int64(3) {
			keep(t, s, "a", n)
		}
		stop := drain(t, s)
		<-time.After(time.Second / 2)
		stop()
		tried, _, stored := api.seen()
		if len(tried) != 1 || len(stored) != 1 || s.inbox.Stats().Records != 2 {
			t.Errorf("tried %v, stored %v, %d are left", tried, stored, s.inbox.Stats().Records)
		}
	})
}
