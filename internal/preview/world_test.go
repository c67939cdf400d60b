// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/delivery"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

var testLimits = policies.Limits{PodSecurityCap: v1alpha1.PodSecurityRestricted, AllowGroupSubjects: true}

// world is a small institution: the planner and the grant loop run in it until nothing changes any more.
type world struct {
	*rand.Rand
	t           *testing.T
	now         time.Time
	institution *v1alpha1.Institution
	policies    map[string]*v1alpha1.CompletionPolicy
	completions map[string]v1alpha1.CourseCompletion
	grants      map[string]v1alpha1.Grant
	// has is what each Grant gives: namespaces, seats and access. revoked is what completions took.
	has map[string]map[string]bool
	// gone are policies that were removed just now.
	gone map[string]bool
}

const users = 5

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 11)), t: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		institution: &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: "one"},
			Spec: v1alpha1.InstitutionSpec{ID: 1, TimeZone: "America/Sao_Paulo", NamespacePrefix: "grad-"}},
		policies: map[string]*v1alpha1.CompletionPolicy{}, completions: map[string]v1alpha1.CourseCompletion{},
		grants: map[string]v1alpha1.Grant{}, has: map[string]map[string]bool{}, gone: map[string]bool{}}
	for range 3 + w.IntN(12) {
		w.deliver(w.delivery())
	}
	for _, name := range policyNames[:1+w.IntN(len(policyNames))] {
		w.policies[name] = w.policy(name)
	}
	if w.IntN(2) == 0 {
		w.handmade()
	}
	w.settle()
	for range w.IntN(4) {
		w.disturb()
		w.settle()
	}
	return w
}

var policyNames = []string{"all", "lab", "seat", "takes"}

func (w *world) delivery() v1alpha1.CourseCompletionSpec {
	user, course := v1alpha1.PlatformID(1+w.IntN(users)), v1alpha1.PlatformID(7+w.IntN(3))
	sent := w.now.Add(-time.Duration(w.IntN(60*24*3600)) * time.Second)
	spec := v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{Slug: v1alpha1.EventSlug, SendAt: sent.Format(time.DateTime),
			SentAt: metav1.NewTime(sent), FirstSentAt: new(metav1.NewTime(sent))},
		Institution: v1alpha1.CompletionInstitution{ID: 1}, Course: v1alpha1.CompletionCourse{ID: course},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 100*user + 10*course + v1alpha1.PlatformID(w.IntN(2)), CourseID: course,
			Activated: new(true), Status: new(int32(1))},
		User: v1alpha1.CompletionUser{ID: user, Name: "Ada", Email: fmt.Sprintf("ada-%d@example.edu", user)},
	}
	if w.IntN(5) == 0 {
		spec.Enrollment.Status = new(int32(0))
	}
	if w.IntN(3) == 0 {
		spec.Enrollment.DateExpire = w.now.AddDate(0, 0, w.IntN(60)-15).Format(time.DateOnly)
	}
	return spec
}

func (w *world) deliver(spec v1alpha1.CourseCompletionSpec) v1alpha1.CourseCompletion {
	completion := v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: spec.Name(),
		CreationTimestamp: metav1.NewTime(w.now)}, Spec: spec}
	if stored, found := w.completions[completion.Name]; found {
		delivery.Merge(&stored.Spec, &spec)
		completion = stored
	}
	w.completions[completion.Name] = completion
	return completion
}

func pick[T any](w *world, of ...T) T { return of[w.IntN(len(of))] }

// policy is a random one. What is immutable follows from its name.
func (w *world) policy(name string) *v1alpha1.CompletionPolicy {
	policy := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: name}}
	s := &policy.Spec
	s.GrantPer = v1alpha1.GrantPerUser
	s.Match = v1alpha1.PolicyMatch{CourseIDs: pick(w, []v1alpha1.PlatformID{7}, []v1alpha1.PlatformID{8, 9},
		[]v1alpha1.PlatformID{7, 8, 9}), Require: v1alpha1.MatchAny}
	s.Match.Expression = pick(w, "", "", "user.id % 2 == 0", "enrollment.status == 1")
	s.Lifetime = v1alpha1.Lifetime{MaxDays: pick(w, int32(0), 0, 30, 45), GraceDays: new(pick(w, int32(0), 30)),
		EnrollmentExpiry: pick(w, v1alpha1.EnrollmentExpiryFollow, v1alpha1.EnrollmentExpiryIgnore)}
	s.OnPolicyRemoval = pick(w, v1alpha1.RemovalRetain, v1alpha1.RemovalDelete)
	s.OnRevoke, s.Approval = v1alpha1.RemovalDelete, v1alpha1.ApprovalAutomatic
	s.Suspend = new(w.IntN(8) == 0)
	if w.IntN(6) == 0 {
		s.Approval = v1alpha1.ApprovalManual
	}
	namespace := v1alpha1.NamespaceTemplate{Name: v1alpha1.Template("grad-" + name + "-${user.id}"),
		PodSecurity: v1alpha1.PodSecurityRestricted, NetworkIsolation: v1alpha1.NetworkIsolationIngressAndEgress,
		Labels: map[string]v1alpha1.Template{"term": pick(w, v1alpha1.Template("a"), "b")},
		Access: []v1alpha1.AccessTemplate{{ClusterRole: pick(w, "completion-learner", "view"),
			Subjects: []v1alpha1.SubjectTemplate{{Kind: v1alpha1.SubjectUser,
				Name: pick(w, v1alpha1.Template("oidc:${user.email}"), "oidc:${user.email}", "id:${string(user.id)}")}}}}}
	if w.IntN(2) == 0 {
		namespace.Labels[v1alpha1.LabelRevocable] = "${institution.id}"
	}
	switch name {
	case "all":
		s.Match.Require, s.Match.CourseIDs = v1alpha1.MatchAll, s.Match.CourseIDs[:min(2, len(s.Match.CourseIDs))]
		s.Namespaces = []v1alpha1.NamespaceTemplate{namespace}
	case "lab":
		s.GrantPer = v1alpha1.GrantPerCompletion
		namespace.Name = pick(w, v1alpha1.Template("grad-lab-${user.id}"), "grad-lab-${enrollment.id}")
		s.Namespaces = []v1alpha1.NamespaceTemplate{namespace}
	case "seat":
		s.Seats = pick(w, []v1alpha1.SeatTemplate{{Pool: "a"}}, []v1alpha1.SeatTemplate{{Pool: "a"}, {Pool: "b"}})
		s.Namespaces = pick(w, nil, []v1alpha1.NamespaceTemplate{namespace})
	case "takes":
		s.Revoke = pick(w, v1alpha1.PolicyRevocation{Seats: []v1alpha1.RevokedSeat{{Pool: "a"}}},
			v1alpha1.PolicyRevocation{Namespaces: []v1alpha1.RevokedNamespace{{Name: "grad-all-${user.id}"}}},
			v1alpha1.PolicyRevocation{Seats: []v1alpha1.RevokedSeat{{Pool: "b"}},
				Namespaces: []v1alpha1.RevokedNamespace{{Name: "grad-hand-${user.id}"}, {Name: "grad-lab-${user.id}"}}})
	}
	return policy
}

// handmade makes a Grant as people do.
func (w *world) handmade() {
	user := v1alpha1.PlatformID(1 + w.IntN(users))
	grant := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: fmt.Sprint("hand-", user),
		CreationTimestamp: metav1.NewTime(w.now.Add(-time.Duration(w.IntN(40*24)) * time.Hour))}}
	grant.Spec = v1alpha1.GrantSpec{Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: user},
		Seats: []v1alpha1.GrantedSeat{{Pool: pick(w, v1alpha1.LocalName("a"), "b")}},
		Namespaces: []v1alpha1.GrantedNamespace{{Name: fmt.Sprint("grad-hand-", user),
			Labels: map[string]string{v1alpha1.LabelRevocable: "1"}}}}
	w.grants[grant.Name] = grant
}

// disturb lets something happen that is no edit of a policy.
func (w *world) disturb() {
	names := slices.Sorted(maps.Keys(w.grants))
	switch n := w.IntN(4); {
	case n == 0 && len(names) > 0:
		grant := w.grants[names[w.IntN(len(names))]]
		grant.Spec.Override = pick(w, v1alpha1.GrantOverride{}, v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"},
			v1alpha1.GrantOverride{Approved: new(true), Reason: "seen"},
			v1alpha1.GrantOverride{Until: new(metav1.NewTime(w.now.AddDate(0, 0, w.IntN(40)-10))), Reason: "exam"})
		w.grants[grant.Name] = grant
	case n == 1:
		w.deliver(w.delivery())
	case n == 2:
		w.edit()
	default:
		w.now = w.now.Add(time.Duration(1+w.IntN(20*24)) * time.Hour)
	}
}

// edit changes one policy or two: it makes, changes or removes them.
func (w *world) edit() {
	for range 1 + w.IntN(2) {
		name := policyNames[w.IntN(len(policyNames))]
		if w.policies[name] != nil && w.IntN(4) == 0 {
			delete(w.policies, name)
			w.gone[name] = true
			continue
		}
		w.policies[name] = w.policy(name)
		if w.IntN(10) == 0 {
			w.policies[name].Spec.Match.Expression = "nonsense("
		}
	}
}

func (w *world) list() []v1alpha1.CompletionPolicy {
	var all []v1alpha1.CompletionPolicy
	for _, name := range slices.Sorted(maps.Keys(w.policies)) {
		all = append(all, *w.policies[name].DeepCopy())
	}
	return all
}

// settle runs the planner and the grant loop until nothing changes.
func (w *world) settle() {
	w.t.Helper()
	for round := range 20 {
		before := maps.Clone(w.grants)
		for user := range users {
			w.plan(v1alpha1.PlatformID(user + 1))
		}
		for user := range users {
			w.provide(v1alpha1.PlatformID(user + 1))
		}
		if cmp.Equal(before, w.grants) {
			w.gone = map[string]bool{}
			return
		}
		if round == 19 {
			w.t.Fatal("it does not settle")
		}
	}
}

func (w *world) grantsOf(user v1alpha1.PlatformID) []v1alpha1.Grant {
	var found []v1alpha1.Grant
	for _, name := range slices.Sorted(maps.Keys(w.grants)) {
		if grant := w.grants[name]; grant.Spec.Holder.UserID == user {
			found = append(found, *grant.DeepCopy())
		}
	}
	return found
}

// plan does what the planner does for one person.
func (w *world) plan(user v1alpha1.PlatformID) {
	zone, err := time.LoadLocation(w.institution.Spec.TimeZone)
	if err != nil {
		w.t.Fatal(err)
	}
	person := plan.Person{Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: user}, Prefix: "grad-", Zone: zone,
		Now: w.now, Awaited: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(w.completions)) {
		if w.completions[name].Spec.User.ID == user {
			person.Completions = append(person.Completions, w.completions[name])
		}
	}
	for _, policy := range w.policies {
		person.Policies = append(person.Policies, policies.Compile(policy, v1alpha1.PrivacySpec{}, testLimits))
	}
	for _, grant := range w.grantsOf(user) {
		if grant.Planned() {
			person.Grants = append(person.Grants, grant)
		} else {
			person.Handmade = append(person.Handmade, grant)
		}
	}
	for _, planned := range plan.For(person).Grants {
		if !planned.Changed() {
			continue
		}
		grant := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: planned.Name,
			CreationTimestamp: metav1.NewTime(w.now)}}
		if planned.Existing != nil {
			grant = *planned.Existing.DeepCopy()
		}
		override := grant.Spec.Override
		grant.Spec, grant.Generation = planned.Spec, grant.Generation+1
		grant.Spec.Override = override
		w.grants[planned.Name] = grant
	}
}

// provide does what the grant loop does for one person, with pools that have room for everybody and a brake that lets
// everything through.
func (w *world) provide(user v1alpha1.PlatformID) {
	for _, grant := range w.grantsOf(user) {
		beside := w.grantsOf(user)
		if lifecycle.RevokesNow(&grant) {
			var kept []string
			for _, ns := range grant.Spec.Revokes.Namespaces {
				if loss, _ := lifecycle.ImpactOf(&grant, beside, ns.Name, w.now); loss == lifecycle.Retained {
					kept = append(kept, ns.Name)
				}
			}
			grant.Status.Revocations = lifecycle.Started(&grant, w.now, kept...)
			w.grants[grant.Name] = grant
		}
	}
	for _, grant := range w.grantsOf(user) {
		for lifecycle.StateOf(&grant, w.now).Paused {
			lifecycle.Admit(&grant, lifecycle.EndRevocation(&grant), w.now, "")
		}
		revoked := lifecycle.RevokedFrom(&grant, w.grantsOf(user), w.now)
		left, has := revoked.Remaining(&grant), w.has[grant.Name]
		switch lifecycle.StateOf(&grant, w.now).Stage {
		case lifecycle.AwaitingApproval:
		case lifecycle.Active:
			grant.Status.AccessEndedAt = nil
			has = w.provided(left, has, revoked)
		case lifecycle.AccessExpired:
			has = dataOf(has, revoked)
			if grant.Status.AccessEndedAt == nil {
				grant.Status.AccessEndedAt = new(metav1.NewTime(w.now))
			}
		case lifecycle.DataExpired:
			has = nil
			if grant.Status.AccessEndedAt == nil {
				grant.Status.AccessEndedAt = new(metav1.NewTime(w.now))
			}
		}
		w.has[grant.Name] = has
		grant.Status.Seats, grant.Status.Inventory = nil, nil
		for _, thing := range slices.Sorted(maps.Keys(has)) {
			var pool, name, rest string
			switch {
			case scan(thing, "seat %s", &pool):
				grant.Status.Seats = append(grant.Status.Seats, v1alpha1.HeldSeat{Pool: v1alpha1.LocalName(pool)})
			case scan(thing, "namespace %s", &name):
				grant.Status.Inventory = append(grant.Status.Inventory, v1alpha1.InventoryEntry{
					Group: new(""), Kind: "Namespace", Namespace: new(""), Name: name})
			case scan(thing, "access %s %s", &name, &rest):
				grant.Status.Inventory = append(grant.Status.Inventory, v1alpha1.InventoryEntry{
					Group: new("rbac.authorization.k8s.io"), Kind: "RoleBinding", Namespace: new(name),
					Name: "completion-" + strings.SplitN(rest, ":", 2)[0]})
			}
		}
		grant.Status.ObservedGeneration = grant.Generation
		w.grants[grant.Name] = grant
	}
}

func scan(text, format string, to ...any) bool {
	n, err := fmt.Sscanf(text, format, to...)
	return err == nil && n == len(to)
}

// provided returns what a Grant gives that says what is left of it, and gave before.
func (w *world) provided(left *v1alpha1.Grant, had map[string]bool, revoked lifecycle.Revoked) map[string]bool {
	has, said := map[string]bool{}, map[string]bool{}
	for _, seat := range left.Spec.Seats {
		has["seat "+string(seat.Pool)] = true
	}
	for _, ns := range left.Spec.Namespaces {
		said[ns.Name] = true
		has["namespace "+ns.Name] = true
		for _, access := range ns.Access {
			for _, subject := range access.Subjects {
				has["access "+ns.Name+" "+access.ClusterRole+":"+subject.Name] = true
			}
		}
	}
	for thing := range had {
		var name, rest string
		switch {
		case scan(thing, "namespace %s", &name):
			_, away := revoked.Namespaces[name]
			has[thing] = has[thing] || !away
		case scan(thing, "access %s %s", &name, &rest):
			_, away := revoked.Namespaces[name]
			stays := !said[name] && !away && left.Spec.OnPolicyRemoval != v1alpha1.RemovalDelete
			has[thing] = has[thing] || stays
		}
		if !has[thing] {
			delete(has, thing)
		}
	}
	return has
}

func dataOf(has map[string]bool, revoked lifecycle.Revoked) map[string]bool {
	data := map[string]bool{}
	for thing := range has {
		var name string
		if scan(thing, "namespace %s", &name) {
			if _, away := revoked.Namespaces[name]; !away {
				data[thing] = true
			}
		}
	}
	return data
}
