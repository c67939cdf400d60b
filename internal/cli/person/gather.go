// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package person has `kubectl course export` and `kubectl course erase`: what is stored about one person, for that
// person, and its removal.
package person

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// queued is a place in the line of a pool.
type queued struct {
	Namespace string `json:"namespace"`
	Pool      string `json:"pool"`
	Grant     string `json:"grant"`
}

// stored is what the cluster has about one person.
type stored struct {
	Completions []v1alpha1.CourseCompletion `json:"completions"`
	Grants      []v1alpha1.Grant            `json:"grants"`
	Seats       []v1alpha1.Seat             `json:"seats"`
	Queues      []queued                    `json:"queues"`
	// GrantedNamespaces are the names alone: what is in them is the person's, and is not read.
	GrantedNamespaces []string `json:"grantedNamespaces"`
	// Objects are those that were made for the person, outside of the granted namespaces or in them.
	Objects []v1alpha1.InventoryEntry `json:"objects"`
}

// gather reads what there is about a user in a namespace, or in all where it is empty; of one institution, where one is
// given.
func gather(
	ctx context.Context, c client.Reader, namespace string, user, institution v1alpha1.PlatformID,
) (*stored, error) {
	s := &stored{
		Completions: []v1alpha1.CourseCompletion{}, Grants: []v1alpha1.Grant{}, Seats: []v1alpha1.Seat{},
		Queues: []queued{}, GrantedNamespaces: []string{}, Objects: []v1alpha1.InventoryEntry{},
	}
	fields := client.MatchingFields{"spec.user.id": user.String()}
	holder := client.MatchingFields{"spec.holder.userID": user.String()}
	if institution != 0 {
		fields["spec.institution.id"] = institution.String()
		holder["spec.holder.institutionID"] = institution.String()
	}
	completions, grants := &v1alpha1.CourseCompletionList{}, &v1alpha1.GrantList{}
	err := cmdutil.EachPage(ctx, c, completions, func() error {
		s.Completions = append(s.Completions, completions.Items...)
		return nil
	}, client.InNamespace(namespace), fields)
	if err == nil {
		err = cmdutil.EachPage(ctx, c, grants, func() error {
			s.Grants = append(s.Grants, grants.Items...)
			return nil
		}, client.InNamespace(namespace), holder)
	}
	if err == nil {
		err = s.seats(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	s.inventory()
	s.tidy()
	return s, nil
}

// empty reports whether nothing is stored.
func (s *stored) empty() bool { return len(s.Completions)+len(s.Grants) == 0 }

// seats reads the seats and the places in lines of the Grants.
func (s *stored) seats(ctx context.Context, c client.Reader) error {
	pools := make(map[string][]v1alpha1.SeatPool)
	for i := range s.Grants {
		grant := &s.Grants[i]
		var seats v1alpha1.SeatList
		if err := c.List(ctx, &seats, client.InNamespace(grant.Namespace),
			client.MatchingFields{"spec.grant": grant.Name}); err != nil {
			return err
		}
		s.Seats = append(s.Seats, seats.Items...)
		if _, read := pools[grant.Namespace]; !read {
			var list v1alpha1.SeatPoolList
			if err := c.List(ctx, &list, client.InNamespace(grant.Namespace)); err != nil {
				return err
			}
			pools[grant.Namespace] = list.Items
		}
		for _, pool := range pools[grant.Namespace] {
			if slices.Contains(pool.Status.Queue, v1alpha1.LocalName(grant.Name)) {
				s.Queues = append(s.Queues, queued{grant.Namespace, pool.Name, grant.Name})
			}
		}
	}
	return nil
}

// inventory lists what the Grants provisioned, or say that they will.
func (s *stored) inventory() {
	for i := range s.Grants {
		for _, namespace := range s.Grants[i].Spec.Namespaces {
			s.GrantedNamespaces = append(s.GrantedNamespaces, namespace.Name)
		}
		for _, entry := range s.Grants[i].Status.Inventory {
			if isNamespace(&entry) {
				s.GrantedNamespaces = append(s.GrantedNamespaces, entry.Name)
			} else {
				s.Objects = append(s.Objects, entry)
			}
		}
	}
	slices.Sort(s.GrantedNamespaces)
	s.GrantedNamespaces = slices.Compact(s.GrantedNamespaces)
}

// tidy sorts, and leaves out what the API server keeps for itself.
func (s *stored) tidy() {
	byName := func(a, b metav1.Object) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	}
	for i := range s.Completions {
		tidyObject(&s.Completions[i], &s.Completions[i].TypeMeta, "CourseCompletion")
	}
	for i := range s.Grants {
		tidyObject(&s.Grants[i], &s.Grants[i].TypeMeta, "Grant")
	}
	for i := range s.Seats {
		tidyObject(&s.Seats[i], &s.Seats[i].TypeMeta, "Seat")
	}
	slices.SortFunc(s.Completions, func(a, b v1alpha1.CourseCompletion) int { return byName(&a, &b) })
	slices.SortFunc(s.Grants, func(a, b v1alpha1.Grant) int { return byName(&a, &b) })
	slices.SortFunc(s.Seats, func(a, b v1alpha1.Seat) int { return byName(&a, &b) })
}

func tidyObject(object metav1.Object, kind *metav1.TypeMeta, name string) {
	object.SetManagedFields(nil)
	kind.APIVersion, kind.Kind = v1alpha1.GroupVersion.String(), name
}

func isNamespace(entry *v1alpha1.InventoryEntry) bool {
	return entry.Kind == "Namespace" && groupOf(entry) == ""
}

func groupOf(entry *v1alpha1.InventoryEntry) string {
	if entry.Group == nil {
		return ""
	}
	return *entry.Group
}

func namespaceOf(entry *v1alpha1.InventoryEntry) string {
	if entry.Namespace == nil {
		return ""
	}
	return *entry.Namespace
}

// place is somewhere that may hold something about a person.
type place struct {
	Place string `json:"place"`
	What  string `json:"what"`
	How   string `json:"how"`
}

// elsewhere returns the places that no request to the API server reaches.
func elsewhere(namespace string, user v1alpha1.PlatformID) []place {
	in := "-n " + namespace + " "
	if namespace == "" {
		in = ""
	}
	inbox := fmt.Sprintf("%s--user %d", in, user)
	return []place{
		{
			"the inboxes of the webhook servers",
			"deliveries that wait to be stored, and dead letters. Running servers drop those about erased people; the " +
				"inbox of a server that is not running keeps them",
			fmt.Sprintf("kubectl course inbox list %s; kubectl course inbox drop %s --state all", inbox, inbox),
		},
		{
			"the audit log of the webhook server, and the logs of both programs",
			"ids, times and IP addresses; no names, emails or other personal fields",
			"wherever the cluster keeps logs",
		},
		{
			"backups, of etcd and of objects",
			"everything that was stored when they were made",
			"whoever keeps them; a restore brings it back",
		},
		{
			"what is in granted namespaces, and objects that others made",
			"whatever the person and others put there",
			"the names of the namespaces are in this answer",
		},
		{
			"the learning platform, and what stands between it and the webhook servers",
			"the deliveries themselves",
			"the platform",
		},
	}
}
