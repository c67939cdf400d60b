// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// expectUnavailable holds an answer to what the sender gets where nothing could be stored, and its audit record to the
// reason.
func expectUnavailable(t *testing.T, server *running, got reply, reason string) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(got.status).To(Equal(503), got.text)
	g.Expect(got.outcome()).To(Equal("unavailable"))
	g.Expect(got.header.Get("Retry-After")).To(MatchRegexp(`^[1-9][0-9]*$`))
	g.Expect(server.log.audit(t, got.deliveryID())).To(And(
		HaveKeyWithValue("completion.outcome", "unavailable"), HaveKeyWithValue("event.reason", reason)))
}

// Whoever starts the server while the API is away gets a server that says so, not one that ends.
func TestUnavailableUntilTheInstitutionsAreKnown(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	away := "https://" + listener.Addr().String()
	g.Expect(listener.Close()).To(Succeed())
	server := startWith(t, &rest.Config{Host: away})
	i := institution{token: "token"}
	expectUnavailable(t, server, post(t, server.url(i), example), "institutions-unknown")
	expectUnavailable(t, server, send(t, http.MethodGet, server.url(i), ""), "institutions-unknown")
	g.Expect(get(t, server.HealthAddress(), "/healthz")).To(Equal(200))
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(503))
}

// Each right that config/rbac gives is needed: without it the deliveries that need it are not stored, and no sender is
// told that they are.
func TestEachRightIsNeeded(t *testing.T) {
	for _, tc := range []struct {
		name     string
		resource string
		verbs    []string
		// before are posted with all rights.
		before []string
		body   string
		reason string
	}{
		{"create completions", "coursecompletions", []string{"create"}, nil, example, "api-forbidden"},
		{"get completions", "coursecompletions", []string{"get"}, []string{example}, example, "api-forbidden"},
		{"update completions", "coursecompletions", []string{"update"}, []string{example}, edited(t, sendAt, later),
			"api-forbidden"},
		{"list and watch institutions", "institutions", []string{"list", "watch"}, nil, example, "institutions-unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			i, able := newInstitution(t), start(t)
			url := able.knows(t, i)
			for _, body := range tc.before {
				g.Expect(post(t, url, body).outcome()).To(Equal("created"))
			}
			lame := startWith(t, accountWithout(t, tc.resource, tc.verbs))
			if tc.reason != "institutions-unknown" {
				lame.knows(t, i)
			}
			before := i.completions(t)
			expect := expectQueued
			if tc.reason == "institutions-unknown" {
				expect = expectUnavailable
			}
			expect(t, lame, post(t, lame.url(i), tc.body), tc.reason)
			g.Expect(i.completions(t)).To(Equal(before))
			g.Expect(post(t, url, tc.body).outcome()).To(
				BeElementOf("created", "updated", "duplicate"), "the same with all rights")
		})
	}
}

// accountWithout makes an account with the webhook server's rights, except for some verbs of a resource.
func accountWithout(t *testing.T, resource string, verbs []string) *rest.Config {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	text, err := os.ReadFile(filepath.Join(root, "config", "rbac", "webhook_server_role.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	role := &rbacv1.ClusterRole{}
	g.Expect(yaml.UnmarshalStrict(text, role)).To(Succeed())
	removed := 0
	for n, rule := range role.Rules {
		if slices.Contains(rule.Resources, resource) {
			role.Rules[n].Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return slices.Contains(verbs, v) })
			removed += len(rule.Verbs) - len(role.Rules[n].Verbs)
		}
	}
	g.Expect(removed).To(Equal(len(verbs)))
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return len(rule.Verbs) == 0 })
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, GenerateName: "lame-"}}
	g.Expect(admin.Create(ctx, account)).To(Succeed())
	role.Name = account.Name
	g.Expect(admin.Create(ctx, role)).To(Succeed())
	g.Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Namespace: systemNamespace, Name: account.Name},
		},
	})).To(Succeed())
	config, err := controlPlane.ServiceAccountConfig(ctx, systemNamespace, account.Name)
	g.Expect(err).NotTo(HaveOccurred())
	return config
}

func TestUnavailableInAZoneThatDoesNotExist(t *testing.T) {
	i := newInstitution(t, func(i *v1alpha1.Institution) { i.Spec.TimeZone = "America/Nowhere" })
	server := start(t)
	expectUnavailable(t, server, post(t, server.knows(t, i), example), "time-zone")
	NewWithT(t).Expect(i.completions(t)).To(BeZero())
}
