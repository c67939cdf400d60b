// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/fairqueue"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// school is what the API server has of one institution: itself, and its Grants. It counts how often somebody looks.
type school struct {
	institution v1alpha1.Institution
	grants      []v1alpha1.Grant
	looks       int
	away        error
}

func schoolWith(budget int32) *school {
	s := &school{institution: v1alpha1.Institution{
		ObjectMeta: metav1.ObjectMeta{Namespace: "school", Name: "school", UID: "school"},
		Spec:       v1alpha1.InstitutionSpec{ID: 1, RevocationBudget: new(budget)},
	}}
	for i := range 1100 {
		s.grants = append(s.grants, v1alpha1.Grant{
			ObjectMeta: metav1.ObjectMeta{Namespace: "school", Name: fmt.Sprintf("lab.%d", i), UID: types.UID(fmt.Sprint(i))},
			Spec: v1alpha1.GrantSpec{Policy: "lab", Holder: v1alpha1.GrantHolder{
				InstitutionID: 1, UserID: v1alpha1.PlatformID(i)}},
		})
	}
	return s
}

// Get implements client.Reader.
func (s *school) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	s.looks++
	institution, ok := object.(*v1alpha1.Institution)
	if !ok || key != client.ObjectKeyFromObject(&s.institution) {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	s.institution.DeepCopyInto(institution)
	return s.away
}

// List implements client.Reader.
func (s *school) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	s.looks++
	if list, ok := list.(*v1alpha1.GrantList); ok {
		list.Items = slices.Clone(s.grants)
	}
	return s.away
}

// brakes returns the brakes of a process that has just started.
func (s *school) brakes() *Brakes { return New(s, s, clock.RealClock{}) }

// ask puts the end of access of a Grant to the brake, and records what is let through, as the loop of Grants does.
func (s *school) ask(t *testing.T, b *Brakes, grant int) lifecycle.Answer {
	t.Helper()
	g := &s.grants[grant]
	revocation := lifecycle.Revocation{Type: v1alpha1.RevocationAccessEnd, Of: "an end", Known: time.Now()}
	answer, released, err := b.Ask(t.Context(), &s.institution, g, revocation)
	if err != nil {
		t.Fatal(err)
	}
	if answer != lifecycle.Paused {
		lifecycle.Admit(g, revocation, time.Now(), released)
	}
	return answer
}

func wantAnswer(t *testing.T, what string, got, want lifecycle.Answer) {
	t.Helper()
	if got != want {
		t.Errorf("%s: answer %d, want %d", what, got, want)
	}
}

// The loop of Institutions is told of a trip at once, and of a thousand that are held in one look.
func TestAThousandThatAreHeldAreOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schoolWith(1)
		b := s.brakes()
		queue := fairqueue.New(fairqueue.Options[reconcile.Request]{
			Name: "institution", Tenant: kube.NamespaceOf, Share: 1,
			RateLimiter: workqueue.DefaultTypedControllerRateLimiter[reconcile.Request](),
		})
		defer queue.ShutDown()
		if err := b.Institutions.Source().Start(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		looks := func() int {
			synctest.Wait()
			n := queue.Len()
			for range n {
				request, _ := queue.Get()
				queue.Done(request)
			}
			return n
		}
		wantAnswer(t, "within the budget", s.ask(t, b, 0), lifecycle.Counted)
		if n := looks(); n != 0 {
			t.Errorf("%d looks though nothing is held", n)
		}
		wantAnswer(t, "beyond the budget", s.ask(t, b, 1), lifecycle.Paused)
		if n := looks(); n != 1 {
			t.Errorf("%d looks at once when the brake trips, want 1", n)
		}
		for grant := range 1000 {
			wantAnswer(t, "after the trip", s.ask(t, b, 2+grant), lifecycle.Paused)
		}
		if n := looks(); n != 0 {
			t.Errorf("%d looks at once for what is held too, want 0", n)
		}
		<-time.After(kube.CountInterval + time.Second)
		if n := looks(); n != 1 {
			t.Errorf("%d looks a while later, want 1", n)
		}
	})
}

// The budget is for an hour: what was let through counts until then.
func TestTheBudgetIsBackAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schoolWith(1)
		b := s.brakes()
		wantAnswer(t, "the first", s.ask(t, b, 0), lifecycle.Counted)
		<-time.After(time.Hour + time.Second)
		wantAnswer(t, "an hour later", s.ask(t, b, 1), lifecycle.Counted)
		<-time.After(time.Hour - time.Second)
		wantAnswer(t, "within the next hour", s.ask(t, b, 2), lifecycle.Paused)
	})
}

// A restart counts what the Grants record, and holds what the Institution says that is held.
func TestARestartLosesNoAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schoolWith(2)
		wantAnswer(t, "the first", s.ask(t, s.brakes(), 0), lifecycle.Counted)
		wantAnswer(t, "after a restart", s.ask(t, s.brakes(), 1), lifecycle.Counted)
		wantAnswer(t, "after another one", s.ask(t, s.brakes(), 2), lifecycle.Paused)
		<-time.After(2 * time.Hour)
		s.institution.Status.Brake = v1alpha1.BrakeStatus{Trip: "trip", TrippedAt: new(metav1.Now())}
		wantAnswer(t, "while a trip is recorded", s.ask(t, s.brakes(), 3), lifecycle.Paused)
		s.institution.Status.Brake = v1alpha1.BrakeStatus{ReleasedTrip: "trip", ReleasedAt: new(metav1.NowMicro())}
		wantAnswer(t, "once it was released", s.ask(t, s.brakes(), 3), lifecycle.Free)
	})
}

// What another leader let through right before counts within a second, and the cache is not looked at more often.
func TestTheCacheIsLookedAtEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schoolWith(2)
		b := s.brakes()
		wantAnswer(t, "the first", s.ask(t, b, 0), lifecycle.Counted)
		loaded := s.looks
		wantAnswer(t, "the same again", s.ask(t, b, 0), lifecycle.Counted)
		if s.looks != loaded {
			t.Errorf("%d looks within a second, want none", s.looks-loaded)
		}
		lifecycle.Admit(&s.grants[9], lifecycle.Revocation{Type: v1alpha1.RevocationAccessEnd, Of: "an end"}, time.Now(), "")
		<-time.After(2 * brakeInterval)
		wantAnswer(t, "beyond what both let through", s.ask(t, b, 1), lifecycle.Paused)
	})
}

// Where it cannot be known what was let through, nothing is, and it is tried again.
func TestNothingGoesWhereNothingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schoolWith(2)
		b := s.brakes()
		s.away = errors.New("the API server is away")
		answer, _, err := b.Ask(t.Context(), &s.institution, &s.grants[0],
			lifecycle.Revocation{Type: v1alpha1.RevocationAccessEnd, Known: time.Now()})
		if !errors.Is(err, s.away) || answer != lifecycle.Paused {
			t.Errorf("answer %d and %v, want Paused and the error", answer, err)
		}
		s.away = nil
		wantAnswer(t, "later", s.ask(t, b, 0), lifecycle.Counted)
	})
}
