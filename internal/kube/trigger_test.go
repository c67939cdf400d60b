// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/lxp-dev/course-completion-operator/internal/fairqueue"
)

func triggered(t *testing.T) (*Trigger[string], workqueue.TypedRateLimitingInterface[string]) {
	t.Helper()
	queue := fairqueue.New(fairqueue.Options[string]{
		Name: t.Name(), Tenant: func(string) string { return "" }, Share: 1,
		RateLimiter: workqueue.DefaultTypedControllerRateLimiter[string](),
	})
	return &Trigger[string]{}, queue
}

// take returns what a loop with one worker looks at, until there is nothing left at the moment.
func take(queue workqueue.TypedRateLimitingInterface[string]) []string {
	var looked []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		looked = append(looked, request)
		queue.Done(request)
	}
	return looked
}

// What is triggered before the loop has started is not lost.
func TestTriggerBeforeTheLoopStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trigger, queue := triggered(t)
		defer queue.ShutDown()
		trigger.Now("a")
		trigger.After("b", time.Hour)
		trigger.Behind("a")
		if err := trigger.Source().Start(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := take(queue)
		slices.Sort(got)
		if !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("looked at %v, want a and b", got)
		}
	})
}

// A thousand times the same is one look, the urgent goes first, and what is to wait waits.
func TestTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trigger, queue := triggered(t)
		defer queue.ShutDown()
		if err := trigger.Source().Start(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		trigger.Behind("later")
		trigger.Now("now")
		for range 1000 {
			trigger.After("waits", time.Minute)
		}
		synctest.Wait()
		if got := take(queue); !slices.Equal(got, []string{"now", "later"}) {
			t.Errorf("looked at %v, want now before later", got)
		}
		<-time.After(time.Minute - time.Second)
		synctest.Wait()
		if got := take(queue); len(got) > 0 {
			t.Errorf("looked at %v after less than a minute", got)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if got := take(queue); !slices.Equal(got, []string{"waits"}) {
			t.Errorf("looked at %v after a minute, want it once", got)
		}
	})
}
