// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// measureEdit measures an edit of a policy that renders every Grant of the crowd anew, and what it does to somebody who
// completes a course meanwhile. It needs the crowd of measureGranted.
func (w *world) measureEdit(ctx context.Context, s size, t *table) error {
	tenant := w.crowd
	if tenant == nil {
		return nil
	}
	idle, err := tenant.sendSingles(ctx, s.singles)
	if err != nil {
		return err
	}
	grants := tenant.users
	w.say("editing a policy with %d Grants", grants)
	before, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	took, meanwhile, err := tenant.edit(ctx, grants, "12")
	if err != nil {
		return err
	}
	after, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	rate := float64(grants) / took.Seconds()
	w.say("%.1f Grants per second; delivery to access meanwhile: %s; idle: %s; writes: %s", rate, meanwhile, idle,
		after.since(before))
	if len(w.rawEdits) > 0 {
		t.compare("Grants updated after a policy edit", "same writes, raw",
			[]float64{rate}, []float64{median(w.rawEdits)}, 0.85)
	} else {
		t.note("policy edit: %.0f Grants per second, %d in all", rate, grants)
	}
	t.atMost("delivery to access during a policy edit, p50", milliseconds(meanwhile.quantile(0.5)),
		milliseconds(idle.quantile(0.5))+" idle", meanwhile.quantile(0.5).Seconds()/idle.quantile(0.5).Seconds(), 1.5)
	t.atMost("delivery to access during a policy edit, p99", milliseconds(meanwhile.quantile(0.99)),
		milliseconds(idle.quantile(0.99))+" idle", meanwhile.quantile(0.99).Seconds()/idle.quantile(0.99).Seconds(), 2)
	// Who came meanwhile costs a completion, a Grant, two statuses and five objects, as everybody.
	t.equal("writes for a policy edit", after.since(before).sum()-9*len(meanwhile), 3*grants,
		"Grant, status and quota")
	return nil
}

// edit changes the quota of the policy, and returns how long it took until every namespace has it. Meanwhile somebody
// completes the course, time and again.
func (t *tenant) edit(
	ctx context.Context, grants int, pods string,
) (took time.Duration, meanwhile durations, err error) {
	changed := t.inNamespaces(func(o client.Object) bool {
		have := o.(*corev1.ResourceQuota).Spec.Hard["count/pods"]
		return have.Cmp(resource.MustParse(pods)) == 0
	})
	quotas, err := t.w.observe(ctx, "ResourceQuotas", &corev1.ResourceQuotaList{}, "", changed)
	if err != nil {
		return 0, nil, err
	}
	defer quotas.stop()
	policy := &v1alpha1.CompletionPolicy{}
	if err := t.w.admin.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "lab"}, policy); err != nil {
		return 0, nil, err
	}
	spec := policy.DeepCopy()
	spec.Spec.Namespaces[0].ResourceQuota.Hard["count/pods"] = v1alpha1.QuantityTemplate(pods)
	began := time.Now()
	if err := t.w.admin.Patch(ctx, spec, client.MergeFrom(policy)); err != nil {
		return 0, nil, err
	}
	for quotas.count() < grants {
		people, err := t.students(1, course)
		if err != nil {
			return 0, nil, err
		}
		// The namespaces of those who come now have the new quota from the beginning.
		grants++
		one, err := t.oneByOne(ctx, people)
		if err != nil {
			return 0, nil, err
		}
		meanwhile = append(meanwhile, one...)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
	if err := quotas.await(ctx, grants); err != nil {
		return 0, nil, err
	}
	for _, at := range quotas.seen {
		took = max(took, at.Sub(began))
	}
	return took, meanwhile, nil
}

// measurePolicyEvents counts what is written when a policy comes, changes and goes that matches nobody, and one that
// cannot be compiled and would match everybody. It needs the crowd of measureGranted.
func (w *world) measurePolicyEvents(ctx context.Context, _ size, t *table) error {
	tenant := w.crowd
	if tenant == nil {
		return nil
	}
	w.say("policies that match nobody, next to %d Grants", tenant.users)
	before, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	nobody := tenant.lab()
	nobody.Match.CourseIDs = []v1alpha1.PlatformID{99}
	broken := tenant.lab()
	broken.Match.Expression = "user.nothing == 1"
	for name, spec := range map[string]v1alpha1.CompletionPolicySpec{"nobody": nobody, "broken": broken} {
		policy := &v1alpha1.CompletionPolicy{Spec: spec}
		policy.Namespace, policy.Name = tenant.Namespace, name
		if err := w.admin.Create(ctx, policy); err != nil {
			return err
		}
		if _, err := w.awaitQuiet(ctx); err != nil {
			return err
		}
		changed := policy.DeepCopy()
		changed.Spec.Namespaces[0].ResourceQuota.Hard["count/pods"] = "13"
		if err := w.admin.Patch(ctx, changed, client.MergeFrom(policy)); err != nil {
			return err
		}
		if _, err := w.awaitQuiet(ctx); err != nil {
			return err
		}
		if err := w.admin.Delete(ctx, policy); err != nil {
			return err
		}
	}
	after, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	t.equal("writes caused by policies that match nobody", after.since(before).sum(), 0,
		"when created, edited and deleted")
	return nil
}

// stored is everything that the controller-manager keeps in its caches.
func stored() []client.ObjectList {
	return []client.ObjectList{
		&v1alpha1.CourseCompletionList{}, &v1alpha1.GrantList{}, &v1alpha1.SeatList{}, &v1alpha1.SeatPoolList{},
		&v1alpha1.CompletionPolicyList{}, &v1alpha1.InstitutionList{}, &corev1.NamespaceList{}, &corev1.ResourceQuotaList{},
		&corev1.LimitRangeList{}, &networkingv1.NetworkPolicyList{}, &rbacv1.RoleBindingList{},
	}
}

// listed is what there is of a kind, and how many bytes that has as JSON, as it is stored.
type listed struct {
	kind           string
	objects, bytes int
}

// listAll reads everything in pages, and returns how long that took, and what there is.
func (w *world) listAll(ctx context.Context) (took time.Duration, all []listed, err error) {
	for _, list := range stored() {
		kind := listed{kind: strings.TrimSuffix(reflect.TypeOf(list).Elem().Name(), "List")}
		for next := ""; ; {
			began := time.Now()
			if err := w.admin.List(ctx, list, client.Limit(500), client.Continue(next)); err != nil {
				return 0, nil, err
			}
			took += time.Since(began)
			// Counting is not what is measured.
			if err := meta.EachListItem(list, func(item runtime.Object) error {
				content, err := json.Marshal(item)
				kind.objects++
				kind.bytes += len(content)
				return err
			}); err != nil {
				return 0, nil, err
			}
			if next = list.GetContinue(); next == "" {
				break
			}
		}
		all = append(all, kind)
	}
	return took, all, nil
}

// measureRestart measures a start with everything that the figures before it left behind.
func (w *world) measureRestart(ctx context.Context, s size, t *table) error {
	w.say("startup with everything stored so far: %d runs", s.runs)
	before, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	var starts, lists durations
	var all []listed
	for range s.runs {
		if err := w.system.ControllerManager.Stop(); err != nil {
			return err
		}
		took, kinds, err := w.listAll(ctx)
		if err != nil {
			return err
		}
		lists, all = append(lists, took), kinds
		began := time.Now()
		if err := w.system.ControllerManager.Start(ctx); err != nil {
			return err
		}
		if err := w.awaitCaughtUp(ctx); err != nil {
			return err
		}
		starts = append(starts, time.Since(began))
	}
	after, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	var objects, bytes int
	var parts []string
	for _, kind := range all {
		objects, bytes = objects+kind.objects, bytes+kind.bytes
		if kind.objects > 0 {
			parts = append(parts, fmt.Sprintf("%s %d, %d bytes each", kind.kind, kind.objects, kind.bytes/kind.objects))
		}
	}
	written := after.since(before)
	t.equal(fmt.Sprintf("writes at startup, %d objects", objects), written.sum(), 0, written.String())
	t.atMost("startup until leading and caught up", milliseconds(starts.quantile(0.5)),
		milliseconds(lists.quantile(0.5))+" listing them raw, in pages",
		starts.quantile(0.5).Seconds()/lists.quantile(0.5).Seconds(), 2)
	mib := float64(anonymousKiB(w.system.ControllerManager.PID())) / 1024
	t.atMost("controller-manager memory after startup", fmt.Sprintf("%.0f MiB", mib),
		fmt.Sprintf("%.0f MiB of JSON", float64(bytes)/(1<<20)), mib/(float64(bytes)/(1<<20)), 1.5)
	if s.grants > 0 {
		t.bound("controller-manager memory after startup, absolute", fmt.Sprintf("%.0f MiB", mib), "< 500 MiB",
			mib < 500)
	}
	t.note("startup: %d objects; until /readyz, the lease, and every queue is empty; %s; lists %s", objects, starts,
		lists)
	t.note("stored objects as JSON: %s", strings.Join(parts, ", "))
	return nil
}
