// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// inFlight is how many people's writes a reference has under way: as many as the workers of both loops together.
const inFlight = 16

// granted is everything that the operator wrote for one person.
type granted struct {
	completion *v1alpha1.CourseCompletion
	grant      *v1alpha1.Grant
	// objects are what was provisioned, in the order in which it has to be made; the last is the RoleBinding.
	objects []client.Object
}

// granted reads what the operator wrote for the people of a tenant, at most n of them.
func (t *tenant) granted(ctx context.Context, n int) ([]granted, error) {
	var completions v1alpha1.CourseCompletionList
	var grants v1alpha1.GrantList
	for _, list := range []client.ObjectList{&completions, &grants} {
		if err := t.w.admin.List(ctx, list, client.InNamespace(t.Namespace)); err != nil {
			return nil, err
		}
	}
	byName := map[string]*v1alpha1.CourseCompletion{}
	for i := range completions.Items {
		byName[completions.Items[i].Name] = &completions.Items[i]
	}
	provisioned, err := t.provisioned(ctx)
	if err != nil {
		return nil, err
	}
	var all []granted
	for i := range grants.Items {
		grant := &grants.Items[i]
		if len(all) == n || len(grant.Spec.Causes) == 0 || len(grant.Spec.Namespaces) != 1 {
			continue
		}
		g := granted{
			completion: byName[string(grant.Spec.Causes[0].Completion)], grant: grant,
			objects: provisioned[grant.Spec.Namespaces[0].Name],
		}
		if g.completion != nil && len(g.objects) > 0 {
			all = append(all, g)
		}
	}
	return all, nil
}

// provisioned returns what the operator made in the granted namespaces of a tenant, by namespace.
func (t *tenant) provisioned(ctx context.Context) (map[string][]client.Object, error) {
	made := map[string][]client.Object{}
	add := func(namespace string, object client.Object) {
		if strings.HasPrefix(namespace, t.prefix) {
			made[namespace] = append(made[namespace], object)
		}
	}
	var namespaces corev1.NamespaceList
	var quotas corev1.ResourceQuotaList
	var limits corev1.LimitRangeList
	var isolation networkingv1.NetworkPolicyList
	var access rbacv1.RoleBindingList
	for _, list := range []client.ObjectList{&namespaces, &quotas, &limits, &isolation, &access} {
		if err := t.w.admin.List(ctx, list, client.HasLabels{v1alpha1.LabelGrant}); err != nil {
			return nil, err
		}
	}
	for i := range namespaces.Items {
		add(namespaces.Items[i].Name, &namespaces.Items[i])
	}
	for i := range quotas.Items {
		add(quotas.Items[i].Namespace, &quotas.Items[i])
	}
	for i := range limits.Items {
		add(limits.Items[i].Namespace, &limits.Items[i])
	}
	for i := range isolation.Items {
		add(isolation.Items[i].Namespace, &isolation.Items[i])
	}
	for i := range access.Items {
		add(access.Items[i].Namespace, &access.Items[i])
	}
	return made, nil
}

// rawWrites writes copies of what the operator wrote, as plain requests with the rights of the same ServiceAccounts.
type rawWrites struct {
	namespace         string
	recorder, manager client.Client
	admin             client.Client
	people            []granted
}

// copies makes a namespace for copies of what was written for some people. The controller-manager has to be stopped
// until they are cleared, because it would act on them.
func (w *world) copies(ctx context.Context, t *tenant, people []granted) (*rawWrites, error) {
	w.references++
	r := &rawWrites{namespace: fmt.Sprintf("reference-%d", w.references), admin: w.admin}
	var err error
	if r.recorder, err = system.NewClient(w.account); err != nil {
		return nil, err
	}
	config, err := w.plane.ServiceAccountConfig(ctx, system.Namespace, "completion-controller-manager")
	if err != nil {
		return nil, err
	}
	if r.manager, err = system.NewClient(config); err != nil {
		return nil, err
	}
	if err := w.admin.Create(ctx, system.InstitutionNamespace(r.namespace, t.ID, t.prefix)); err != nil {
		return nil, err
	}
	for i := range people {
		r.people = append(r.people, r.copyOf(&people[i], i))
	}
	return r, nil
}

// copyOf returns a copy under other names, with an owner label that is no Grant's.
func (r *rawWrites) copyOf(g *granted, i int) granted {
	fresh := func(object client.Object, name, namespace string) {
		object.SetName(name)
		object.SetNamespace(namespace)
		object.SetResourceVersion("")
		object.SetUID("")
		object.SetGeneration(0)
		object.SetManagedFields(nil)
		object.SetCreationTimestamp(metav1.Time{})
		object.SetFinalizers(nil)
		if labels := object.GetLabels(); labels[v1alpha1.LabelGrant] != "" {
			labels[v1alpha1.LabelGrant] = fmt.Sprintf("copy-%s-%d", r.namespace, i)
		}
	}
	place := fmt.Sprintf("%s-%d", r.namespace, i)
	c := granted{completion: g.completion.DeepCopy(), grant: g.grant.DeepCopy()}
	fresh(c.completion, c.completion.Name, r.namespace)
	fresh(c.grant, c.grant.Name, r.namespace)
	for _, object := range g.objects {
		copied := object.DeepCopyObject().(client.Object)
		if namespace, ok := copied.(*corev1.Namespace); ok {
			fresh(copied, place, "")
			namespace.Spec.Finalizers, namespace.Status = nil, corev1.NamespaceStatus{}
			delete(namespace.Labels, corev1.LabelMetadataName)
		} else {
			fresh(copied, copied.GetName(), place)
		}
		c.objects = append(c.objects, copied)
	}
	return c
}

// write makes everything of one person, one request after the other, with both statuses at the end, and returns how
// long it took until there was access.
func (r *rawWrites) write(ctx context.Context, g *granted) (access time.Duration, err error) {
	began := time.Now()
	completion, grant := g.completion.DeepCopy(), g.grant.DeepCopy()
	if err := r.recorder.Create(ctx, completion); err != nil {
		return 0, err
	}
	if err := r.manager.Create(ctx, grant); err != nil {
		return 0, err
	}
	for _, object := range g.objects {
		if err := r.manager.Create(ctx, object.DeepCopyObject().(client.Object)); err != nil {
			return 0, err
		}
	}
	access = time.Since(began)
	before := grant.DeepCopy()
	grant.Status = *g.grant.Status.DeepCopy()
	if err := r.manager.Status().Patch(ctx, grant, client.MergeFrom(before)); err != nil {
		return 0, err
	}
	if err := r.tell(ctx, completion, g); err != nil {
		return 0, err
	}
	return access, nil
}

// tell writes the status of a completion.
func (r *rawWrites) tell(ctx context.Context, completion *v1alpha1.CourseCompletion, g *granted) error {
	before := completion.DeepCopy()
	completion.Status = *g.completion.Status.DeepCopy()
	return r.manager.Status().Patch(ctx, completion, client.MergeFrom(before))
}

// settle stores one completion with its status.
func (r *rawWrites) settle(ctx context.Context, g *granted) error {
	completion := g.completion.DeepCopy()
	if err := r.recorder.Create(ctx, completion); err != nil {
		return err
	}
	return r.tell(ctx, completion, g)
}

// edit changes the quota of one person, as an edit of the policy does: in the Grant, in the object, and in the status.
func (r *rawWrites) edit(ctx context.Context, g *granted, pods string) error {
	hard := map[corev1.ResourceName]resource.Quantity{"count/pods": resource.MustParse(pods)}
	grant := &v1alpha1.Grant{}
	if err := r.manager.Get(ctx, client.ObjectKeyFromObject(g.grant), grant); err != nil {
		return err
	}
	before := grant.DeepCopy()
	grant.Spec.Namespaces[0].Quota = map[string]v1alpha1.Quantity{"count/pods": v1alpha1.Quantity(pods)}
	locked := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.manager.Patch(ctx, grant, locked); err != nil {
		return err
	}
	for _, object := range g.objects {
		quota, ok := object.(*corev1.ResourceQuota)
		if !ok {
			continue
		}
		changed := quota.DeepCopy()
		changed.Spec.Hard = hard
		if err := r.manager.Patch(ctx, changed, client.MergeFrom(quota)); err != nil {
			return err
		}
	}
	before = grant.DeepCopy()
	grant.Status.ObservedGeneration = grant.Generation
	return r.manager.Status().Patch(ctx, grant, client.MergeFrom(before))
}

// each does something for everybody, so many at a time, and returns how long that took.
func (r *rawWrites) each(over int, do func(*granted) error) (time.Duration, error) {
	return eachOf(len(r.people), over, func(i int) error { return do(&r.people[i]) })
}

// eachOf does n things, so many at a time, and returns how long that took.
func eachOf(n, over int, do func(int) error) (time.Duration, error) {
	var turn atomic.Int64
	failures := make([]error, over)
	var working sync.WaitGroup
	began := time.Now()
	for worker := range over {
		working.Go(func() {
			for failures[worker] == nil {
				i := int(turn.Add(1) - 1)
				if i >= n {
					return
				}
				failures[worker] = do(i)
			}
		})
	}
	working.Wait()
	return time.Since(began), firstOf(failures)
}

// clear deletes the copies that the controller-manager would act on; what is left are namespaces that are nobody's.
func (r *rawWrites) clear(ctx context.Context) error {
	return errors.Join(
		r.admin.DeleteAllOf(ctx, &v1alpha1.Grant{}, client.InNamespace(r.namespace)),
		r.admin.DeleteAllOf(ctx, &v1alpha1.CourseCompletion{}, client.InNamespace(r.namespace)),
	)
}

// without does something while the controller-manager is stopped.
func (w *world) without(ctx context.Context, do func() error) error {
	if err := w.system.ControllerManager.Stop(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return w.system.ControllerManager.Start(ctx)
}
