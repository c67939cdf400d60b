// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// soonDays is how far ahead ends of access are counted.
const soonDays = 7

// overview is the whole at a glance.
type overview struct {
	Institutions []institution `json:"institutions"`
	// Inboxes says how much is known of what waits on the disks of the webhook servers.
	Inboxes inboxes `json:"inboxes"`
	// Problems are what needs a person, worst first.
	Problems []problem `json:"problems"`
}

type institution struct {
	Namespace string              `json:"namespace"`
	Name      string              `json:"name"`
	ID        v1alpha1.PlatformID `json:"id"`
	Ready     bool                `json:"ready"`
	Reason    string              `json:"reason,omitempty"`
	Suspended bool                `json:"suspended,omitempty"`

	Completions completions                 `json:"completions"`
	Grants      map[v1alpha1.GrantPhase]int `json:"grants"`
	Pools       []pool                      `json:"seatPools,omitempty"`
	// EndingSoon is how many accesses end within seven days.
	EndingSoon       int   `json:"endingWithin7Days"`
	Namespaces       int   `json:"namespaces"`
	NamespacesAtMost int32 `json:"namespacesAtMost"`
	Brake            brake `json:"brake"`
	// Inbox is what waits in the inboxes for its namespace; nil where that is not known.
	Inbox *replicas.Count `json:"inbox,omitempty"`

	zone *time.Location
}

// completions counts by when the courses were completed.
type completions struct {
	Today int `json:"today"`
	Week  int `json:"last7Days"`
	All   int `json:"all"`
}

type pool struct {
	Name     string `json:"name"`
	Taken    int32  `json:"taken"`
	Capacity int32  `json:"capacity"`
	Waiting  int32  `json:"waiting"`
}

type brake struct {
	Budget      int32      `json:"budgetPerHour"`
	PausedSince *time.Time `json:"pausedSince,omitempty"`
	Held        int32      `json:"held,omitempty"`
}

// tenant is whose something is.
type tenant struct {
	namespace string
	id        v1alpha1.PlatformID
}

// gathering reads the cluster page by page and keeps only counts, and one example of each kind of problem.
type gathering struct {
	client    client.Reader
	namespace string
	now       time.Time

	institutions map[tenant]*institution
	problems     problems
}

// gather reads the cluster. What is in the inboxes it gets from asked, once everything else was read.
func gather(
	ctx context.Context, c client.Reader, namespace string, now time.Time, asked func() *inboxes,
) (*overview, error) {
	g := gathering{client: c, namespace: namespace, now: now, institutions: map[tenant]*institution{}}
	for _, read := range []func(context.Context) error{
		g.readInstitutions, g.readPolicies, g.readPools, g.readCompletions, g.readGrants,
	} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	kept := asked()
	for of, one := range g.institutions {
		one.Inbox = kept.of(of.namespace)
	}
	g.problems.ofInboxes(kept, namespace, now)
	found := &overview{Institutions: []institution{}, Inboxes: *kept, Problems: g.problems.sorted()}
	for _, one := range g.institutions {
		found.Institutions = append(found.Institutions, *one)
	}
	slices.SortFunc(found.Institutions, func(a, b institution) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return found, nil
}

func (g *gathering) readInstitutions(ctx context.Context) error {
	all, err := cmdutil.Institutions(ctx, g.client, g.namespace)
	for i := range all {
		one := &all[i]
		g.institutions[tenant{one.Namespace, one.Spec.ID}] = institutionOf(one)
		g.problems.ofInstitution(one)
	}
	return err
}

func institutionOf(from *v1alpha1.Institution) *institution {
	zone, err := time.LoadLocation(from.Spec.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	ready, reason, _ := readiness(from.Status.Conditions)
	i := &institution{
		Namespace: from.Namespace, Name: from.Name, ID: from.Spec.ID, Ready: ready, Reason: reason,
		Suspended: from.Spec.Suspend != nil && *from.Spec.Suspend, zone: zone,
		Grants:     map[v1alpha1.GrantPhase]int{},
		Namespaces: int(value(from.Status.Namespaces)), NamespacesAtMost: from.Spec.NamespacesAtMost(),
		Brake: brake{Budget: from.Spec.Budget()},
	}
	if from.Status.Brake.Trip != "" {
		if at := from.Status.Brake.TrippedAt; at != nil {
			i.Brake.PausedSince = new(at.UTC())
		}
		i.Brake.Held = value(from.Status.Brake.Held)
	}
	return i
}

func value(number *int32) int32 {
	if number == nil {
		return 0
	}
	return *number
}

func (g *gathering) readPolicies(ctx context.Context) error {
	var page v1alpha1.CompletionPolicyList
	return cmdutil.EachPage(ctx, g.client, &page, func() error {
		for i := range page.Items {
			g.problems.ofPolicy(&page.Items[i])
		}
		return nil
	}, client.InNamespace(g.namespace))
}

func (g *gathering) readPools(ctx context.Context) error {
	var page v1alpha1.SeatPoolList
	return cmdutil.EachPage(ctx, g.client, &page, func() error {
		for i := range page.Items {
			from := &page.Items[i]
			g.problems.ofPool(from)
			// A pool is for everybody in its namespace.
			for of, one := range g.institutions {
				if of.namespace == from.Namespace {
					one.Pools = append(one.Pools, pool{from.Name, value(from.Status.Taken), value(from.Spec.Capacity),
						value(from.Status.Waiting)})
				}
			}
		}
		return nil
	}, client.InNamespace(g.namespace))
}

func (g *gathering) readCompletions(ctx context.Context) error {
	var page v1alpha1.CourseCompletionList
	return cmdutil.EachPage(ctx, g.client, &page, func() error {
		for i := range page.Items {
			from := &page.Items[i]
			g.problems.ofCompletion(from, g.now)
			one := g.institutions[tenant{from.Namespace, from.Spec.Institution.ID}]
			if one == nil {
				continue
			}
			one.Completions.All++
			completed := from.Spec.Event.First().In(one.zone)
			if completed.After(startOfDay(g.now, one.zone)) {
				one.Completions.Today++
			}
			if completed.After(startOfDay(g.now, one.zone).AddDate(0, 0, -6)) {
				one.Completions.Week++
			}
		}
		return nil
	}, client.InNamespace(g.namespace))
}

// objects are the institutions, by name alone.
func (o *overview) objects() []client.Object {
	var all []client.Object
	for i := range o.Institutions {
		one := &o.Institutions[i]
		all = append(all, &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: one.Namespace, Name: one.Name}})
	}
	return all
}

// startOfDay is when today began in a zone.
func startOfDay(now time.Time, zone *time.Location) time.Time {
	year, month, day := now.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, zone).Add(-time.Nanosecond)
}

func (g *gathering) readGrants(ctx context.Context) error {
	var page v1alpha1.GrantList
	return cmdutil.EachPage(ctx, g.client, &page, func() error {
		for i := range page.Items {
			from := &page.Items[i]
			g.problems.ofGrant(from, g.now)
			one := g.institutions[tenant{from.Namespace, from.Spec.Holder.InstitutionID}]
			if one == nil {
				continue
			}
			one.Grants[from.Status.Phase]++
			if endsSoon(from, g.now) {
				one.EndingSoon++
			}
		}
		return nil
	}, client.InNamespace(g.namespace))
}

// endsSoon reports whether somebody loses access within seven days.
func endsSoon(grant *v1alpha1.Grant, now time.Time) bool {
	if grant.Status.Phase != v1alpha1.GrantActive {
		return false
	}
	end := grant.Spec.AccessEndsAt
	if grant.Spec.Override.Until != nil {
		end = grant.Spec.Override.Until
	}
	return end != nil && end.After(now) && end.Time.Before(now.AddDate(0, 0, soonDays))
}
