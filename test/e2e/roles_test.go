// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

// The ServiceAccounts of the programs, as the API server knows them.
const (
	controllerManagerUser = "system:serviceaccount:" + system.Namespace + ":completion-controller-manager"
	webhookServerUser     = "system:serviceaccount:" + system.Namespace + ":completion-webhook-server"
)

// right is one verb on one resource.
type right struct {
	verb, group, resource, subresource, namespace, name string
}

// fullResource is the name that rules use.
func (r right) fullResource() string {
	if r.subresource == "" {
		return r.resource
	}
	return r.resource + "/" + r.subresource
}

func (r right) String() string { return r.verb + " " + r.fullResource() }

// allowed asks the API server.
func allowed(ctx context.Context, user string, r right) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: r.namespace, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource,
			Name: r.name,
		},
	}}
	err := admin.Create(ctx, review)
	return review.Status.Allowed, err
}

// takeAway removes one right from a ClusterRole, as somebody would who edits config/rbac, and waits until the API
// server denies it. The returned function gives it back; so does the end of the test.
func takeAway(t *testing.T, role, user string, r right) (giveBack func()) {
	t.Helper()
	g := NewWithT(t)
	var stored rbacv1.ClusterRole
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: role}, &stored)).To(Succeed())
	before := slices.Clone(stored.Rules)
	stored.Rules = without(before, r)
	g.Expect(stored.Rules).NotTo(Equal(before), "%s has no right to %s", role, r)
	g.Expect(admin.Update(t.Context(), &stored)).To(Succeed())
	await := func(ctx context.Context, want bool) {
		g.Eventually(func() (bool, error) { return allowed(ctx, user, r) }, soon, often).Should(Equal(want), r.String())
	}
	given := false
	restore := func(ctx context.Context) {
		if given {
			return
		}
		given = true
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: role}, &stored)).To(Succeed())
		stored.Rules = before
		g.Expect(admin.Update(ctx, &stored)).To(Succeed())
		await(ctx, true)
	}
	t.Cleanup(func() { restore(context.WithoutCancel(t.Context())) })
	await(t.Context(), false)
	return func() { restore(t.Context()) }
}

// takeFromManager is takeAway for the controller-manager.
func takeFromManager(t *testing.T, r right) (giveBack func()) {
	t.Helper()
	return takeAway(t, "completion-controller-manager", controllerManagerUser, r)
}

// takeAwayView removes the rights to list and to watch. Each of them is enough for a first view, since the client
// library has two ways to get it.
func takeAwayView(t *testing.T, role, user, group, resource string) (giveBack func()) {
	t.Helper()
	giveList := takeAway(t, role, user, right{verb: "list", group: group, resource: resource})
	giveWatch := takeAway(t, role, user, right{verb: "watch", group: group, resource: resource})
	return func() {
		giveWatch()
		giveList()
	}
}

// without returns the rules less one verb on one resource; what else the same rule allows stays.
func without(rules []rbacv1.PolicyRule, r right) []rbacv1.PolicyRule {
	var left []rbacv1.PolicyRule
	for _, rule := range rules {
		if !slices.Contains(rule.APIGroups, r.group) || !slices.Contains(rule.Resources, r.fullResource()) ||
			!slices.Contains(rule.Verbs, r.verb) {
			left = append(left, rule)
			continue
		}
		others := *rule.DeepCopy()
		others.Resources = slices.DeleteFunc(others.Resources, func(name string) bool { return name == r.fullResource() })
		if len(others.Resources) > 0 {
			left = append(left, others)
		}
		same := *rule.DeepCopy()
		same.Resources = []string{r.fullResource()}
		same.Verbs = slices.DeleteFunc(same.Verbs, func(verb string) bool { return verb == r.verb })
		if len(same.Verbs) > 0 {
			left = append(left, same)
		}
	}
	return left
}
