// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// Attacks on the whole, each with what somebody would really hold. Others are where what they attack is tested:
// owners, finalizers and planned Grants in admission_test.go, roles that policies bind in bind_test.go, objects of
// policies, Grants and deliveries in controllers/grant_objects_attacks_test.go, and networks, credentials and slow
// clients in webhookserver/integration.

// attempts are things that a client must not be able to do.
type attempts map[string]func(context.Context, client.Client) error

// refuseAll makes every attempt and expects that the API server forbids it.
func (a attempts) refuseAll(t *testing.T, attacker client.Client) {
	t.Helper()
	for name, attempt := range a {
		t.Run(name, func(t *testing.T) {
			err := attempt(t.Context(), attacker)
			NewWithT(t).Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		})
	}
}

func creates(object client.Object) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return c.Create(ctx, object.DeepCopyObject().(client.Object))
	}
}

// everything is a binding of somebody to cluster-admin.
func everything(user string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "evil-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
}

// Whoever takes over the program that faces the internet can record completions, and nothing else.
func TestAttacksWithTheCredentialsOfTheWebhookServer(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	u := s.student()
	u.complete(t)
	named := metav1.ObjectMeta{Namespace: s.namespace, Name: "evil"}
	stored := &v1alpha1.CourseCompletion{}
	g.Expect(admin.Get(t.Context(), u.completion, stored)).To(Succeed())
	account := &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace, Name: "completion-controller-manager"}}
	attempts{
		"reads the token": func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "token"}, &corev1.Secret{})
		},
		"lists secrets": func(ctx context.Context, c client.Client) error { return c.List(ctx, &corev1.SecretList{}) },
		"lists completions": func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &v1alpha1.CourseCompletionList{}, client.InNamespace(s.namespace))
		},
		"deletes a completion": func(ctx context.Context, c client.Client) error { return c.Delete(ctx, stored.DeepCopy()) },
		"says what came of a completion": func(ctx context.Context, c client.Client) error {
			return c.Status().Update(ctx, stored.DeepCopy())
		},
		"accepts a token of its own": func(ctx context.Context, c client.Client) error {
			institution := &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "school"}}
			return c.Status().Patch(ctx, institution, client.RawPatch("application/merge-patch+json", []byte(`{"status":{}}`)))
		},
		"makes an institution": creates(&v1alpha1.Institution{ObjectMeta: named}),
		"makes a policy":       creates(&v1alpha1.CompletionPolicy{ObjectMeta: named}),
		"makes a grant":        creates(&v1alpha1.Grant{ObjectMeta: named}),
		"takes a seat":         creates(&v1alpha1.Seat{ObjectMeta: named}),
		"makes a namespace":    creates(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.prefix + "evil"}}),
		"makes a config map":   creates(&corev1.ConfigMap{ObjectMeta: named}),
		"runs a pod":           creates(&corev1.Pod{ObjectMeta: named}),
		"binds everything":     creates(everything("evil@example.org")),
		"gets a token of the controller-manager": func(ctx context.Context, c client.Client) error {
			return c.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
		},
		"becomes the controller-manager": func(ctx context.Context, _ client.Client) error {
			return impersonating(t, controllerManagerUser, "").List(ctx, &corev1.NamespaceList{})
		},
		"becomes a member of system:masters": func(ctx context.Context, _ client.Client) error {
			return impersonating(t, "evil@example.org", "system:masters").List(ctx, &corev1.NamespaceList{})
		},
	}.refuseAll(t, as(t, "completion-webhook-server"))
}

// impersonating is the webhook server that claims to be somebody else.
func impersonating(t *testing.T, user, group string) client.Client {
	t.Helper()
	g := NewWithT(t)
	config, err := plane.ServiceAccountConfig(t.Context(), system.Namespace, "completion-webhook-server")
	g.Expect(err).NotTo(HaveOccurred())
	config.Impersonate.UserName = user
	if group != "" {
		config.Impersonate.Groups = []string{group}
	}
	c, err := system.NewClient(config)
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// Whoever has the token of one institution cannot say anything in the name of another, not even about the same people.
func TestAttacksWithTheTokenOfAnotherInstitution(t *testing.T) {
	g := NewWithT(t)
	victim, mallory := openSchool(t), openSchool(t)
	victim.apply(t, victim.labPolicy())
	u := victim.student()
	for _, tc := range []struct {
		name, url   string
		institution v1alpha1.PlatformID
		want        int
	}{
		{"the victim's URL", operator.WebhookURL(victim.id, mallory.token), victim.id, 401},
		{"the victim's URL and her own body", operator.WebhookURL(victim.id, mallory.token), mallory.id, 401},
		{"her own URL and the victim's body", mallory.url(), victim.id, 422},
		{"her own URL and body, about the victim's student", mallory.url(), mallory.id, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			answer, err := system.Deliver(t.Context(), tc.url, u.delivery(t, "institution.id", tc.institution))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(answer.Status).To(Equal(tc.want), answer.String())
		})
	}
	for namespace, want := range map[string]int{victim.namespace: 0, mallory.namespace: 1} {
		var completions v1alpha1.CourseCompletionList
		g.Expect(admin.List(t.Context(), &completions, client.InNamespace(namespace))).To(Succeed())
		g.Expect(completions.Items).To(HaveLen(want))
	}
	// What she said of him gives him nothing at the victim, and takes nothing from him there.
	u.deliver(t, "institution.id", victim.id)
	u.awaitGrant(t, v1alpha1.ReasonActive)
	answer, err := system.Deliver(t.Context(), mallory.url(),
		u.delivery(t, "institution.id", mallory.id, "enrollment.status", 0, "event.send_at", "2024-01-01 00:00:00"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Outcome).To(Equal("updated"))
	g.Consistently(func() (string, error) { return u.grantReason(t.Context()) }, aWhile, often).
		Should(Equal(v1alpha1.ReasonActive))
}

// Whoever writes policies reads no personal data and no token, and gives nobody what the installation does not allow.
func TestAttacksOfAPolicyAuthor(t *testing.T) {
	s := openSchool(t)
	author := s.member(t, "author", "completion-policy-author")
	named := metav1.ObjectMeta{Namespace: s.namespace, Name: "evil"}
	attempts{
		"reads the token": func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "token"}, &corev1.Secret{})
		},
		"reads personal data": func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &v1alpha1.CourseCompletionList{}, client.InNamespace(s.namespace))
		},
		"reads personal data in grants": func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &v1alpha1.GrantList{}, client.InNamespace(s.namespace))
		},
		"records a completion": creates(&v1alpha1.CourseCompletion{ObjectMeta: named}),
		"makes a grant":        creates(&v1alpha1.Grant{ObjectMeta: named}),
		"takes a seat":         creates(&v1alpha1.Seat{ObjectMeta: named}),
		"lets accounts be used by policies": creates(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: "evil",
			Labels: map[string]string{"completions.lxp.dev/policy-service-account": "true"},
		}}),
		"writes policies elsewhere": creates(&v1alpha1.CompletionPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "evil"}, Spec: s.labPolicy().Spec}),
		"binds everything": creates(everything("author@example.org")),
	}.refuseAll(t, author)

	for name, edit := range map[string]func(*v1alpha1.NamespaceTemplate){
		"a system namespace":       func(n *v1alpha1.NamespaceTemplate) { n.Name = "kube-${user.id}" },
		"another's namespace":      func(n *v1alpha1.NamespaceTemplate) { n.Name = "other-${user.id}" },
		"personal data in a name":  func(n *v1alpha1.NamespaceTemplate) { n.Name += "${user.nickname}" },
		"personal data in a label": func(n *v1alpha1.NamespaceTemplate) { n.Labels["mail"] = "${user.email}" },
		"a reserved label": func(n *v1alpha1.NamespaceTemplate) {
			n.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
		},
		"privileged pods":         func(n *v1alpha1.NamespaceTemplate) { n.PodSecurity = v1alpha1.PodSecurityPrivileged },
		"a subject of the system": func(n *v1alpha1.NamespaceTemplate) { n.Access[0].Subjects[0].Name = "system:kube-proxy" },
		"a subject by its data":   func(n *v1alpha1.NamespaceTemplate) { n.Access[0].Subjects[0].Name = "${user.name}" },
		"a role of the system":    func(n *v1alpha1.NamespaceTemplate) { n.Access[0].ClusterRole = "system:node" },
		"the role of the operator": func(n *v1alpha1.NamespaceTemplate) {
			n.Access[0].ClusterRole = "completion-controller-manager"
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := openSchool(t)
			policy := s.labPolicy()
			edit(&policy.Spec.Namespaces[0])
			if err := s.member(t, "author", "completion-policy-author").Create(t.Context(), policy); err != nil {
				g.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
				return
			}
			u := s.student()
			u.values["user.name"] = "system:masters"
			u.complete(t)
			// Refused for good by the policy's check, the plan or the Grant's check, not merely late.
			var policyReason, planReason, grantReason string
			g.Eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(policy), policy)).To(Succeed())
				policyReason = reasonOf(policy.Status.Conditions)
				var err error
				planReason, err = u.ready(t.Context())
				g.Expect(err).NotTo(HaveOccurred())
				grantReason, err = u.grantReason(t.Context())
				g.Expect(err).NotTo(HaveOccurred())
				refusedBefore := policyReason == v1alpha1.ReasonInvalidPolicy || planReason == v1alpha1.ReasonPolicyFailed
				g.Expect(refusedBefore && grantReason == "0 grants" || grantReason == v1alpha1.ReasonForbidden ||
					grantReason == v1alpha1.ReasonRefused).To(BeTrue(),
					"policy %s, plan %s, grant %s", policyReason, planReason, grantReason)
			}, eventually, often).Should(Succeed())
		})
	}
}
