// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// course is the course of every completion that names no other.
const course = v1alpha1.PlatformID(123456)

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

type SecretWrapper struct{ corev1.Secret }

func MakeSecret(w *world, name string) *SecretWrapper {
	return &SecretWrapper{corev1.Secret{ObjectMeta: w.meta(name), Type: v1alpha1.SecretTypeWebhookToken}}
}

func (s *SecretWrapper) Token(token string) *SecretWrapper {
	s.Data = map[string][]byte{v1alpha1.SecretKeyToken: []byte(token)}
	return s
}

func (s *SecretWrapper) Type(kind corev1.SecretType) *SecretWrapper {
	s.Secret.Type = kind
	return s
}

func (s *SecretWrapper) Obj() *corev1.Secret { return &s.Secret }

type InstitutionWrapper struct{ v1alpha1.Institution }

// MakeInstitution makes the institution of a world, with the token of the world.
func MakeInstitution(w *world) *InstitutionWrapper {
	made := &InstitutionWrapper{v1alpha1.Institution{ObjectMeta: w.meta("school"), Spec: v1alpha1.InstitutionSpec{
		ID: w.id, NamespacePrefix: w.prefix,
	}}}
	return made.Tokens("token")
}

func (i *InstitutionWrapper) Name(name string) *InstitutionWrapper {
	i.ObjectMeta.Name = name
	return i
}

func (i *InstitutionWrapper) Zone(zone string) *InstitutionWrapper {
	i.Spec.TimeZone = zone
	return i
}

func (i *InstitutionWrapper) Tokens(names ...v1alpha1.LocalName) *InstitutionWrapper {
	i.Spec.Authentication.TokenSecretRefs = nil
	for _, name := range names {
		i.Spec.Authentication.TokenSecretRefs = append(i.Spec.Authentication.TokenSecretRefs,
			v1alpha1.TokenSecretReference{Name: name})
	}
	return i
}

func (i *InstitutionWrapper) Obj() *v1alpha1.Institution { return &i.Institution }

type CompletionWrapper struct{ v1alpha1.CourseCompletion }

// MakeCompletion makes the completion of the course by a user, whose enrollment does not expire. It was sent on
// 2026-03-01 at ten in the morning in São Paulo.
func MakeCompletion(w *world, user v1alpha1.PlatformID) *CompletionWrapper {
	made := &CompletionWrapper{v1alpha1.CourseCompletion{ObjectMeta: w.meta(""), Spec: v1alpha1.CourseCompletionSpec{
		Event:       v1alpha1.CompletionEvent{Name: "Course completed", Slug: v1alpha1.EventSlug},
		Institution: v1alpha1.CompletionInstitution{ID: w.id},
		Course:      v1alpha1.CompletionCourse{ID: course, Name: "Vidas Secas"},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 500 + user, CourseID: course, Activated: new(true), Status: new(int32(1)),
		},
		User: v1alpha1.CompletionUser{
			ID: user, Name: "Graciliano Ramos", Email: fmt.Sprintf("graciliano.%d@example.org", user),
		},
		Delivery: v1alpha1.CompletionDelivery{ID: "delivery-1"},
	}}}
	return made.SendAt("2026-03-01 10:00:00")
}

func (c *CompletionWrapper) Course(id v1alpha1.PlatformID) *CompletionWrapper {
	c.Spec.Course.ID, c.Spec.Enrollment.CourseID = id, id
	return c
}

func (c *CompletionWrapper) SendAt(text string) *CompletionWrapper {
	sendAt(&c.CourseCompletion, text)
	return c
}

func (c *CompletionWrapper) Expire(date string) *CompletionWrapper {
	c.Spec.Enrollment.DateExpire = date
	return c
}

func (c *CompletionWrapper) Inactive() *CompletionWrapper {
	c.Spec.Enrollment.Status = new(int32(0))
	return c
}

func (c *CompletionWrapper) Obj() *v1alpha1.CourseCompletion {
	c.Name = c.Spec.Name()
	return &c.CourseCompletion
}

// sendAt dates a delivery, in the zone of São Paulo.
func sendAt(completion *v1alpha1.CourseCompletion, text string) {
	at, err := time.ParseInLocation(time.DateTime, text, time.FixedZone("-03", -3*3600))
	if err != nil {
		panic(err)
	}
	completion.Spec.Event.SendAt, completion.Spec.Event.SentAt = text, metav1.NewTime(at)
}

type PolicyWrapper struct{ v1alpha1.CompletionPolicy }

// MakePolicy makes a policy about the course, which grants nothing yet, to each completion, and gives no grace.
func MakePolicy(w *world, name string) *PolicyWrapper {
	return &PolicyWrapper{v1alpha1.CompletionPolicy{ObjectMeta: w.meta(name), Spec: v1alpha1.CompletionPolicySpec{
		GrantPer: v1alpha1.GrantPerCompletion,
		Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{course}},
		Lifetime: v1alpha1.Lifetime{GraceDays: new(int32(0))},
	}}}
}

// MakeLab makes a policy that grants a namespace with a quota and access to each user.
func MakeLab(w *world, name string) *PolicyWrapper {
	return MakePolicy(w, name).Namespace(v1alpha1.Template(w.prefix + "${user.id}"))
}

// Namespace grants a namespace with a quota of ten pods and access for the user's email.
func (p *PolicyWrapper) Namespace(name v1alpha1.Template) *PolicyWrapper {
	ns := v1alpha1.NamespaceTemplate{
		Name: name,
		ResourceQuota: v1alpha1.ResourceQuotaTemplate{
			Hard: map[string]v1alpha1.QuantityTemplate{"count/pods": "10"},
		},
	}
	if p.Spec.GrantPer != v1alpha1.GrantPerUser {
		ns.Access = []v1alpha1.AccessTemplate{{Subjects: []v1alpha1.SubjectTemplate{{Name: "${user.email}"}}}}
	}
	p.Spec.Namespaces = append(p.Spec.Namespaces, ns)
	return p
}

func (p *PolicyWrapper) Courses(ids ...v1alpha1.PlatformID) *PolicyWrapper {
	p.Spec.Match.CourseIDs = ids
	return p
}

func (p *PolicyWrapper) Expression(text string) *PolicyWrapper {
	p.Spec.Match.Expression = text
	return p
}

func (p *PolicyWrapper) PerUser() *PolicyWrapper {
	p.Spec.GrantPer = v1alpha1.GrantPerUser
	return p
}

func (p *PolicyWrapper) Seat(pool v1alpha1.LocalName) *PolicyWrapper {
	p.Spec.Seats = append(p.Spec.Seats, v1alpha1.SeatTemplate{Pool: pool})
	return p
}

func (p *PolicyWrapper) Grace(days int32) *PolicyWrapper {
	p.Spec.Lifetime.GraceDays = new(days)
	return p
}

func (p *PolicyWrapper) MaxDays(days int32) *PolicyWrapper {
	p.Spec.Lifetime.MaxDays = days
	return p
}

func (p *PolicyWrapper) OnRevoke(action v1alpha1.RemovalAction) *PolicyWrapper {
	p.Spec.OnRevoke = action
	return p
}

func (p *PolicyWrapper) OnPolicyRemoval(action v1alpha1.RemovalAction) *PolicyWrapper {
	p.Spec.OnPolicyRemoval = action
	return p
}

func (p *PolicyWrapper) Obj() *v1alpha1.CompletionPolicy { return &p.CompletionPolicy }

type GrantWrapper struct{ v1alpha1.Grant }

// MakeGrant makes a Grant as a person does: a namespace, without a policy, and without grace.
func MakeGrant(w *world, name string, user v1alpha1.PlatformID) *GrantWrapper {
	return &GrantWrapper{v1alpha1.Grant{ObjectMeta: w.meta(name), Spec: v1alpha1.GrantSpec{
		Holder:   v1alpha1.GrantHolder{InstitutionID: w.id, UserID: user},
		Lifetime: v1alpha1.Lifetime{GraceDays: new(int32(0))},
	}}}
}

func (g *GrantWrapper) Namespace(name string) *GrantWrapper {
	g.Spec.Namespaces = append(g.Spec.Namespaces, v1alpha1.GrantedNamespace{Name: name, Access: []v1alpha1.GrantedAccess{
		{Subjects: []v1alpha1.GrantedSubject{{Name: "ana"}}}}})
	return g
}

func (g *GrantWrapper) Seat(pool v1alpha1.LocalName) *GrantWrapper {
	g.Spec.Seats = append(g.Spec.Seats, v1alpha1.GrantedSeat{Pool: pool})
	return g
}

func (g *GrantWrapper) Obj() *v1alpha1.Grant { return &g.Grant }

type PoolWrapper struct{ v1alpha1.SeatPool }

func MakePool(w *world, name string, capacity int32) *PoolWrapper {
	return &PoolWrapper{v1alpha1.SeatPool{ObjectMeta: w.meta(name), Spec: v1alpha1.SeatPoolSpec{Capacity: new(capacity)}}}
}

func (p *PoolWrapper) Obj() *v1alpha1.SeatPool { return &p.SeatPool }
