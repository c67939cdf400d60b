// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// measureStock stores many Grants with everything that they provision, of which the figures after it have one crowd.
func (w *world) measureStock(ctx context.Context, s size, t *table) error {
	if s.grants == 0 {
		return nil
	}
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
		return err
	}
	w.crowd = tenant
	return tenant.stock(ctx, course, s.grants, t)
}

// stock stores so many completions of a course, of one person each, with all that the operator would make of them: it
// makes it of one, and the others are copies, written as plain requests with the rights of its ServiceAccounts.
func (t *tenant) stock(ctx context.Context, course v1alpha1.PlatformID, n int, table *table) error {
	first, number, err := t.model(ctx, course)
	if err != nil {
		return err
	}
	began := time.Now()
	err = t.w.without(ctx, func() error {
		writes, err := t.w.stocker(ctx)
		if err != nil {
			return err
		}
		behind := t.users
		t.users, t.enrollments = t.users+n-1, t.enrollments+n-1
		_, err = eachOf(n-1, connections, func(i int) error {
			if done := i + 1; done%stockStep == 0 {
				t.w.say("%d of %d stored", done, n)
			}
			return writes.add(ctx, first, number, numbered(behind+1+i))
		})
		return err
	})
	if err != nil {
		return err
	}
	written, err := t.w.unwritten(ctx)
	table.equal(fmt.Sprintf("writes at startup, after storing %d completions raw", n), written.sum(), 0, written.String())
	t.w.say("%d stored in %s; writes at the next startup: %s", n, time.Since(began).Round(time.Second), written)
	return err
}

// stockStep is how many are stored between two lines that tell of it.
const stockStep = 5000

// unwritten waits until the operator, which has just been started, is done, and returns what it wrote.
func (w *world) unwritten(ctx context.Context) (writeCounts, error) {
	before, err := w.written(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.awaitCaughtUp(ctx); err != nil {
		return nil, err
	}
	after, err := w.awaitQuiet(ctx)
	return after.since(before), err
}

// model has the operator work for one more person, and returns what it wrote, and the person's number.
func (t *tenant) model(ctx context.Context, of v1alpha1.PlatformID) (*granted, v1alpha1.PlatformID, error) {
	if t.users != t.enrollments {
		return nil, 0, errors.New("a person and the person's enrollment have to have one number")
	}
	people, err := t.students(1, of)
	if err != nil {
		return nil, 0, err
	}
	if err := t.deliver(ctx, people); err != nil {
		return nil, 0, err
	}
	if _, err := t.w.awaitQuiet(ctx); err != nil {
		return nil, 0, err
	}
	if of == idle {
		completion := &v1alpha1.CourseCompletion{}
		key := client.ObjectKey{Namespace: t.Namespace, Name: people[0].completion}
		if err := t.w.admin.Get(ctx, key, completion); err != nil {
			return nil, 0, err
		}
		return &granted{completion: completion}, numbered(t.users), nil
	}
	all, err := t.granted(ctx, t.users)
	if err != nil {
		return nil, 0, err
	}
	for i := range all {
		if all[i].completion.Name == people[0].completion {
			return &all[i], numbered(t.users), nil
		}
	}
	return nil, 0, fmt.Errorf("nothing was granted for completion %s", people[0].completion)
}

// stocker writes what the operator would.
type stocker struct {
	recorder, manager client.Client
	namespaces        installation.Namespaces
}

func (w *world) stocker(ctx context.Context) (*stocker, error) {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return nil, err
	}
	s := &stocker{}
	// As the controller-manager is started with it.
	s.namespaces, err = installation.Load(filepath.Join(root, "config", "manager", "configuration.yaml"))
	if err != nil {
		return nil, err
	}
	if s.recorder, err = system.NewClient(w.account); err != nil {
		return nil, err
	}
	config, err := w.plane.ServiceAccountConfig(ctx, system.Namespace, "completion-controller-manager")
	if err != nil {
		return nil, err
	}
	s.manager, err = system.NewClient(config)
	return s, err
}

// add writes everything of one person, as the operator wrote it for another one.
func (s *stocker) add(ctx context.Context, of *granted, number, another v1alpha1.PlatformID) error {
	completion := &v1alpha1.CourseCompletion{}
	if err := renumber(of.completion, number, another, completion); err != nil {
		return err
	}
	if of.grant != nil {
		if err := s.addGrant(ctx, of, completion, number, another); err != nil {
			return err
		}
	}
	status := completion.Status
	if err := s.recorder.Create(ctx, completion); err != nil {
		return err
	}
	before := completion.DeepCopy()
	completion.Status = status
	completion.Status.ObservedGeneration = completion.Generation
	for i := range completion.Status.Conditions {
		completion.Status.Conditions[i].ObservedGeneration = completion.Generation
	}
	return s.manager.Status().Patch(ctx, completion, client.MergeFrom(before), apply.FieldOwner)
}

func (s *stocker) addGrant(
	ctx context.Context, of *granted, completion *v1alpha1.CourseCompletion, number, another v1alpha1.PlatformID,
) error {
	grant := &v1alpha1.Grant{}
	if err := renumber(of.grant, number, another, grant); err != nil {
		return err
	}
	grant.Spec.Causes[0].Digest = order.Of(&completion.Spec).Digest
	status := grant.Status
	if err := s.manager.Create(ctx, grant, apply.FieldOwner); err != nil {
		return err
	}
	for _, object := range apply.Objects(grant, &s.namespaces) {
		if err := s.manager.Create(ctx, object, apply.FieldOwner); err != nil {
			return err
		}
		kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*")
		kind = kind[strings.LastIndex(kind, ".")+1:]
		for i := range status.Inventory {
			entry := &status.Inventory[i]
			if entry.Kind == kind && entry.Name == object.GetName() {
				entry.UID = string(object.GetUID())
			}
		}
	}
	before := grant.DeepCopy()
	grant.Status = status
	grant.Status.ObservedGeneration = grant.Generation
	for i := range grant.Status.Conditions {
		grant.Status.Conditions[i].ObservedGeneration = grant.Generation
	}
	return s.manager.Status().Patch(ctx, grant, client.MergeFrom(before), apply.FieldOwner)
}

// renumber makes a copy of an object for somebody with another number, ready to be created.
func renumber(object client.Object, number, another v1alpha1.PlatformID, into client.Object) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	copied := strings.ReplaceAll(string(text), number.String(), another.String())
	if err := json.Unmarshal([]byte(copied), into); err != nil {
		return err
	}
	into.SetUID("")
	into.SetResourceVersion("")
	into.SetGeneration(0)
	into.SetManagedFields(nil)
	return nil
}
