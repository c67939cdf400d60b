// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/fairqueue"
)

func TestWhatIsNewGoesBeforeWhatHasChanged(t *testing.T) {
	t.Parallel()
	queue := fairqueue.New(fairqueue.Options[reconcile.Request]{Tenant: NamespaceOf})
	t.Cleanup(queue.ShutDown)
	named := func(name string) client.Object {
		return &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "school", Name: name}}
	}
	every, first := &handler.EnqueueRequestForObject{}, NewFirst()
	for _, name := range []string{"edited-1", "edited-2"} {
		changed := event.UpdateEvent{ObjectOld: named(name), ObjectNew: named(name)}
		every.Update(t.Context(), changed, queue)
		first.Update(t.Context(), changed, queue)
	}
	made := event.CreateEvent{Object: named("new")}
	every.Create(t.Context(), made, queue)
	first.Create(t.Context(), made, queue)
	// What is there at a start is not new.
	listed := event.CreateEvent{Object: named("listed"), IsInInitialList: true}
	every.Create(t.Context(), listed, queue)
	first.Create(t.Context(), listed, queue)
	for _, want := range []string{"new", "edited-1", "edited-2", "listed"} {
		got, _ := queue.Get()
		if got.Name != want {
			t.Errorf("%s is next, want %s", got.Name, want)
		}
		queue.Done(got)
	}
}
