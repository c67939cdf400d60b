// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// school is an institution of one test, in a namespace of its own, with names that no other test has.
type school struct {
	id        v1alpha1.PlatformID
	namespace string
	prefix    string
	token     string
	users     v1alpha1.PlatformID
}

var lastSchool atomic.Int64

// makeSchool makes an institution as a platform team does, without waiting for it.
func makeSchool(t *testing.T, change ...func(*v1alpha1.InstitutionSpec)) *school {
	t.Helper()
	g := NewWithT(t)
	id := v1alpha1.PlatformID(70000 + lastSchool.Add(1))
	s := &school{
		id: id, namespace: fmt.Sprintf("school-%d", id), prefix: fmt.Sprintf("sch%d-", id),
		token: rand.Text() + rand.Text(),
	}
	institution := s.institution()
	for _, apply := range change {
		apply(&institution.Spec)
	}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: s.namespace, Name: name} }
	for _, object := range []client.Object{
		system.InstitutionNamespace(s.namespace, s.id, institution.Spec.NamespacePrefix),
		s.binding(),
		&corev1.Secret{
			ObjectMeta: named("token"), Type: v1alpha1.SecretTypeWebhookToken,
			StringData: map[string]string{v1alpha1.SecretKeyToken: s.token},
		},
		institution,
	} {
		g.Expect(admin.Create(t.Context(), object)).To(Succeed())
	}
	return s
}

func (s *school) institution() *v1alpha1.Institution {
	return &v1alpha1.Institution{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "school"},
		Spec: v1alpha1.InstitutionSpec{
			ID: s.id, NamespacePrefix: s.prefix,
			Authentication: v1alpha1.AuthenticationSpec{
				TokenSecretRefs: []v1alpha1.TokenSecretReference{{Name: "token"}},
			},
		},
	}
}

// openSchool makes an institution and waits until the webhook server takes its deliveries.
func openSchool(t *testing.T, change ...func(*v1alpha1.InstitutionSpec)) *school {
	t.Helper()
	s := makeSchool(t, change...)
	s.awaitReady(t)
	NewWithT(t).Eventually(func() (int, error) {
		// A delivery without a body is refused, but not as unauthorized.
		answer, err := system.Deliver(t.Context(), s.url(), nil)
		return answer.Status, err
	}, soon, often).ShouldNot(BeElementOf(401, 503))
	return s
}

// binding is what lets the controller-manager read the school's tokens.
func (s *school) binding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "completion-institution"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "completion-institution"},
		Subjects: []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Name: "completion-controller-manager", Namespace: system.Namespace},
		},
	}
}

func (s *school) awaitReady(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() (string, error) { return s.reason(t.Context()) }, soon, often).
		Should(Equal(v1alpha1.ReasonReady))
}

// reason returns the reason of the Institution's condition Ready.
func (s *school) reason(ctx context.Context) (string, error) {
	var institution v1alpha1.Institution
	err := admin.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: "school"}, &institution)
	return reasonOf(institution.Status.Conditions), err
}

func (s *school) url() string { return operator.WebhookURL(s.id, s.token) }

// labPolicy grants what config/samples/policy.yaml grants, under the school's prefix.
func (s *school) labPolicy() *v1alpha1.CompletionPolicy {
	return &v1alpha1.CompletionPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "lab"},
		Spec: v1alpha1.CompletionPolicySpec{
			Match: v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{123456}},
			Namespaces: []v1alpha1.NamespaceTemplate{{
				Name:          v1alpha1.Template(s.prefix + "${user.id}"),
				Labels:        map[string]v1alpha1.Template{"purpose": "graduate-lab"},
				ResourceQuota: v1alpha1.ResourceQuotaTemplate{Hard: quantities("count/pods", "10")},
				Limits: []v1alpha1.LimitTemplate{{
					Type: "Container", Default: quantities("memory", "512Mi"), DefaultRequest: quantities("memory", "128Mi"),
				}},
				Access: []v1alpha1.AccessTemplate{{
					Subjects: []v1alpha1.SubjectTemplate{{Name: "${user.email}"}},
				}},
			}},
			Lifetime: v1alpha1.Lifetime{GraceDays: new(int32(0))},
		},
	}
}

// apply creates a policy and waits until it is compiled.
func (s *school) apply(t *testing.T, policy *v1alpha1.CompletionPolicy) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(admin.Create(t.Context(), policy)).To(Succeed())
	g.Eventually(func() (string, error) {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(policy), policy)
		return reasonOf(policy.Status.Conditions), err
	}, soon, often).Should(Equal(v1alpha1.ReasonReady))
}

// student is one user with one enrollment.
type student struct {
	school     *school
	id         v1alpha1.PlatformID
	completion client.ObjectKey
	namespace  string
	values     map[string]any
}

// student returns somebody whom the school does not know yet.
func (s *school) student() *student {
	s.users++
	id := s.id*1000 + s.users
	return &student{
		school: s, id: id,
		completion: client.ObjectKey{Namespace: s.namespace, Name: fmt.Sprintf("%d-123456-%d-%d", s.id, 5000+s.users, id)},
		namespace:  fmt.Sprintf("%s%d", s.prefix, id),
		values: map[string]any{
			"institution.id": s.id, "enrollment.id": 5000 + s.users, "user.id": id,
			"user.name":  fmt.Sprintf("Graciliano %d Ramos", id),
			"user.email": fmt.Sprintf("graciliano.%d@example.org", id),
			"user.cpf":   "529.982.247-25",
		},
	}
}

// labStudent opens a school with labPolicy, and returns a student who has yet to complete the course.
func labStudent(t *testing.T) *student {
	t.Helper()
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	return s.student()
}

// grantedStudent opens a school with labPolicy, and returns a student whose Grant is Active.
func grantedStudent(t *testing.T) *student {
	t.Helper()
	u := labStudent(t)
	u.complete(t)
	u.awaitGrant(t, v1alpha1.ReasonActive)
	return u
}

// deliver posts the student's completion, with some values changed.
func (u *student) deliver(t *testing.T, changes ...any) system.Answer {
	t.Helper()
	answer, err := system.Deliver(t.Context(), u.school.url(), u.delivery(t, changes...))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return answer
}

// delivery returns the body. Changes are keys and values in turn.
func (u *student) delivery(t *testing.T, changes ...any) []byte {
	t.Helper()
	for i := 0; i+1 < len(changes); i += 2 {
		u.values[changes[i].(string)] = changes[i+1]
	}
	body, err := system.Variant(u.values)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return body
}

// complete posts the student's completion, which is new.
func (u *student) complete(t *testing.T) {
	t.Helper()
	answer := u.deliver(t)
	g := NewWithT(t)
	g.Expect(answer.Status).To(Equal(200), answer.String())
	g.Expect(answer.Completion).To(HaveSuffix(u.completion.Name))
}

// ready returns the reason of the completion's condition Ready.
func (u *student) ready(ctx context.Context) (string, error) {
	var completion v1alpha1.CourseCompletion
	err := admin.Get(ctx, u.completion, &completion)
	return reasonOf(completion.Status.Conditions), err
}

// grants returns the student's Grants.
func (u *student) grants(ctx context.Context) ([]v1alpha1.Grant, error) {
	var list v1alpha1.GrantList
	err := admin.List(ctx, &list, client.InNamespace(u.school.namespace),
		client.MatchingFields{"spec.holder.userID": fmt.Sprint(u.id)})
	return list.Items, err
}

// grantReason returns the reason of the condition Ready of the student's only Grant.
func (u *student) grantReason(ctx context.Context) (string, error) {
	grants, err := u.grants(ctx)
	if err != nil {
		return "", err
	}
	if len(grants) != 1 {
		return fmt.Sprintf("%d grants", len(grants)), nil
	}
	return reasonOf(grants[0].Status.Conditions), nil
}

// awaitGrant waits until the student's only Grant has this reason.
func (u *student) awaitGrant(t *testing.T, reason string) {
	t.Helper()
	NewWithT(t).Eventually(func() (string, error) { return u.grantReason(t.Context()) }, eventually, often).
		Should(Equal(reason))
}

// awaitNamespaceGone waits until the namespace is really gone, not only being deleted.
func (u *student) awaitNamespaceGone(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() bool {
		err := admin.Get(t.Context(), client.ObjectKey{Name: u.namespace}, &corev1.Namespace{})
		return apierrors.IsNotFound(err)
	}, eventually, often).Should(BeTrue(), "namespace %s is still there", u.namespace)
}

// withdraw deletes the completion as a person would.
func (u *student) withdraw(t *testing.T) {
	t.Helper()
	NewWithT(t).Expect(admin.Delete(t.Context(), &v1alpha1.CourseCompletion{
		ObjectMeta: metav1.ObjectMeta{Namespace: u.completion.Namespace, Name: u.completion.Name},
	})).To(Succeed())
}

// personal is what nobody may find outside the specs.
func (u *student) personal() []string {
	return []string{
		u.values["user.name"].(string), u.values["user.email"].(string), u.values["user.cpf"].(string),
		strings.NewReplacer(".", "", "-", "").Replace(u.values["user.cpf"].(string)),
	}
}

// reasonOf returns the reason of the condition Ready, or what is missing.
func reasonOf(conditions []metav1.Condition) string {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return "no condition Ready"
	}
	return condition.Reason
}

// secondInstitution is the same institution by another name, of which nothing is known.
func (s *school) secondInstitution() *v1alpha1.Institution {
	second := s.institution()
	second.Name = "second"
	return second
}

// awaitAnyGrant waits until one of the student's Grants has this reason.
func (u *student) awaitAnyGrant(t *testing.T, reason string) {
	t.Helper()
	NewWithT(t).Eventually(func() ([]string, error) {
		grants, err := u.grants(t.Context())
		var reasons []string
		for i := range grants {
			reasons = append(reasons, reasonOf(grants[i].Status.Conditions))
		}
		return reasons, err
	}, eventually, often).Should(ContainElement(reason))
}

// pool has the seats that seatPolicy grants.
func (s *school) pool(capacity int32) *v1alpha1.SeatPool {
	return &v1alpha1.SeatPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "desks"},
		Spec:       v1alpha1.SeatPoolSpec{Capacity: new(capacity)},
	}
}

// seatPolicy grants a seat instead of a namespace.
func (s *school) seatPolicy() *v1alpha1.CompletionPolicy {
	policy := s.labPolicy()
	policy.Spec.Namespaces = nil
	policy.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "desks"}}
	return policy
}
