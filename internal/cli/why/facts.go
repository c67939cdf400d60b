// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
	"github.com/lxp-dev/course-completion-operator/internal/erasure"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// reader reads what the stories of a namespace are made of.
type reader struct {
	client      client.Client
	namespace   string
	institution string
	personal    bool
	now         time.Time
	// logged returns the deliveries about a person that the audit log has, and what is not known of them.
	logged func(context.Context, v1alpha1.GrantHolder) ([]deliveries.Delivery, []string)

	institutions []v1alpha1.Institution
	policies     []v1alpha1.CompletionPolicy
	pools        map[v1alpha1.LocalName]*poolFacts
	unknown      []string
}

// facts are what is known of one person.
type facts struct {
	*focus
	institution *v1alpha1.Institution
	// problem is why nothing is planned for the institution; empty where it is.
	problem     string
	zone        *time.Location
	completions []v1alpha1.CourseCompletion
	policies    []*compiledPolicy
	// beside are all the Grants of the person.
	beside []v1alpha1.Grant
	// seats are those that the person has, by name.
	seats map[string]*v1alpha1.Seat
	// erasedAt is when the person was erased last, as far as that may be read; zero without an erasure.
	erasedAt time.Time
	// deliveries are those that the audit log has, the oldest first.
	deliveries []deliveries.Delivery
}

// compiledPolicy is a policy, and what it says.
type compiledPolicy struct {
	object   *v1alpha1.CompletionPolicy
	compiled *policies.Policy
}

// suspended reports whether the policy plans nothing for now, and ready whether it is a sound one.
func (p *compiledPolicy) suspended() bool { return p.compiled.Suspended() }

func (p *compiledPolicy) ready() *metav1.Condition {
	return meta.FindStatusCondition(p.object.Status.Conditions, v1alpha1.ConditionReady)
}

func completionsOf(holder v1alpha1.GrantHolder) client.ListOption {
	return client.MatchingFields{
		"spec.institution.id": holder.InstitutionID.String(), "spec.user.id": holder.UserID.String()}
}

func grantsOf(holder v1alpha1.GrantHolder) client.ListOption {
	return client.MatchingFields{
		"spec.holder.institutionID": holder.InstitutionID.String(), "spec.holder.userID": holder.UserID.String()}
}

func (r *reader) eachGrant(ctx context.Context, look func(*v1alpha1.Grant) error) error {
	return cmdutil.Each(ctx, r.client, &v1alpha1.GrantList{}, func(l *v1alpha1.GrantList) []v1alpha1.Grant {
		return l.Items
	}, look, client.InNamespace(r.namespace))
}

// begin reads what all stories share.
func (r *reader) begin(ctx context.Context) error {
	var err error
	if r.institutions, err = cmdutil.Institutions(ctx, r.client, r.namespace); err != nil {
		return err
	}
	if len(r.institutions) == 0 {
		return fmt.Errorf("namespace %s has no Institution: choose another one with -n; "+
			"`kubectl get institutions -A` lists them", r.namespace)
	}
	var page v1alpha1.CompletionPolicyList
	err = cmdutil.EachPage(ctx, r.client, &page, func() error {
		r.policies = append(r.policies, page.Items...)
		return nil
	}, client.InNamespace(r.namespace))
	slices.SortFunc(r.policies, func(a, b v1alpha1.CompletionPolicy) int { return strings.Compare(a.Name, b.Name) })
	r.pools = map[v1alpha1.LocalName]*poolFacts{}
	return err
}

// gather reads everything about one person.
func (r *reader) gather(ctx context.Context, who *focus) (*facts, error) {
	f := &facts{focus: who, seats: map[string]*v1alpha1.Seat{}}
	f.institution, f.problem, f.zone = r.institutionOf(who.holder.InstitutionID)
	var completions v1alpha1.CourseCompletionList
	err := cmdutil.EachPage(ctx, r.client, &completions, func() error {
		f.completions = append(f.completions, completions.Items...)
		return nil
	}, client.InNamespace(r.namespace), completionsOf(who.holder))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(f.completions, func(a, b v1alpha1.CourseCompletion) int {
		return a.Spec.Event.First().Compare(b.Spec.Event.First().Time)
	})
	var grants v1alpha1.GrantList
	err = cmdutil.EachPage(ctx, r.client, &grants, func() error {
		f.beside = append(f.beside, grants.Items...)
		return nil
	}, client.InNamespace(r.namespace), grantsOf(who.holder))
	if err != nil {
		return nil, err
	}
	r.compile(f)
	return f, errors.Join(r.erasureOf(ctx, f), r.seatsOf(ctx, f))
}

// erasureOf looks whether the person was erased, where that may be looked at.
func (r *reader) erasureOf(ctx context.Context, f *facts) error {
	found := &v1alpha1.ErasureRegister{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: v1alpha1.ErasureRegisterName}, found)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	register, err := erasure.Read(&found.Spec)
	if err != nil {
		return err
	}
	f.erasedAt, _ = register.ErasedAt(erasure.Person{Institution: f.holder.InstitutionID, User: f.holder.UserID})
	return nil
}

// compile compiles the policies with the privacy of the institution. What the installation does not allow is not known
// here: a policy says so in its condition Ready.
func (r *reader) compile(f *facts) {
	var privacy v1alpha1.PrivacySpec
	if f.institution != nil {
		privacy = f.institution.Spec.Privacy
	}
	for i := range r.policies {
		f.policies = append(f.policies,
			&compiledPolicy{&r.policies[i], policies.Compile(&r.policies[i], privacy, policies.Limits{})})
	}
}

// institutionOf returns the Institution with a number, why nothing is planned for it, and its time zone.
func (r *reader) institutionOf(id v1alpha1.PlatformID) (*v1alpha1.Institution, string, *time.Location) {
	var found *v1alpha1.Institution
	for i := range r.institutions {
		if r.institutions[i].Spec.ID == id {
			found = &r.institutions[i]
		}
	}
	if found == nil {
		return nil, fmt.Sprintf("no Institution with the number %d is in this namespace", id), time.UTC
	}
	zone, err := time.LoadLocation(found.Spec.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	allowed := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionAllowed)
	ready := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionReady)
	problem := ""
	switch {
	case allowed == nil:
		problem = "the controller-manager has yet to look at the institution"
	case allowed.Status != metav1.ConditionTrue:
		problem = "the institution is not allowed: " + allowed.Reason + ": " + allowed.Message
	case found.Spec.Suspend != nil && *found.Spec.Suspend:
		problem = "the institution is suspended"
	case ready != nil && (ready.Reason == v1alpha1.ReasonInvalidTimeZone ||
		ready.Reason == v1alpha1.ReasonDuplicateInstitution):
		problem = "the institution is not Ready: " + ready.Reason + ": " + ready.Message
	}
	return found, problem, zone
}

// seatsOf reads the seats of a person.
func (r *reader) seatsOf(ctx context.Context, f *facts) error {
	for i := range f.beside {
		for _, held := range f.beside[i].Status.Seats {
			name := v1alpha1.SeatName(string(held.Pool), *held.Number)
			seat, err := r.seat(ctx, name)
			if err != nil && !apierrors.IsForbidden(err) {
				return err
			}
			f.seats[name] = seat
		}
	}
	return nil
}

// seat returns a seat, nil if nobody has it.
func (r *reader) seat(ctx context.Context, name string) (*v1alpha1.Seat, error) {
	seat := &v1alpha1.Seat{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, seat)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return seat, nil
}

// stored returns a completion of the person, nil if it is not there.
func (f *facts) stored(name string) *v1alpha1.CourseCompletion {
	for i := range f.completions {
		if f.completions[i].Name == name {
			return &f.completions[i]
		}
	}
	return nil
}

// policy returns a policy, nil if it is not there.
func (f *facts) policy(name string) *compiledPolicy {
	for _, p := range f.policies {
		if p.object.Name == name {
			return p
		}
	}
	return nil
}

// in returns a moment in the time zone of the institution.
func (f *facts) in(at time.Time) time.Time { return at.In(f.zone) }
