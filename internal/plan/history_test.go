// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// world plays a history against the planner: deliveries, deletions, policy edits and clock jumps, each followed by a
// plan whose Grants become what exists.
type world struct {
	t           tester
	now         time.Time
	policies    map[string]*v1alpha1.CompletionPolicy
	completions map[string]v1alpha1.CourseCompletion
	grants      []v1alpha1.Grant
	handmade    []v1alpha1.Grant
	last        Plan
}

// tester is what a world needs of a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(t tester, all ...*v1alpha1.CompletionPolicy) *world {
	w := &world{t: t, now: time.Date(2024, 1, 10, 12, 0, 0, 0, time.UTC),
		policies: map[string]*v1alpha1.CompletionPolicy{}, completions: map[string]v1alpha1.CourseCompletion{}}
	for _, policy := range all {
		w.policies[policy.Name] = policy
	}
	return w
}

func namespacePolicy(edit ...func(*v1alpha1.CompletionPolicySpec)) *v1alpha1.CompletionPolicy {
	policy := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "graduates"}}
	policy.Spec = v1alpha1.CompletionPolicySpec{
		Match:           v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{7}},
		GrantPer:        v1alpha1.GrantPerCompletion,
		Namespaces:      []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}-${course.id}", PodSecurity: "restricted"}},
		Lifetime:        v1alpha1.Lifetime{EnrollmentExpiry: v1alpha1.EnrollmentExpiryFollow, GraceDays: new(int32(30))},
		OnRevoke:        v1alpha1.RemovalDelete,
		OnPolicyRemoval: v1alpha1.RemovalRetain,
	}
	for _, e := range edit {
		e(&policy.Spec)
	}
	return policy
}

func removeWithPolicy(s *v1alpha1.CompletionPolicySpec) { s.OnPolicyRemoval = v1alpha1.RemovalDelete }

func delivered(sendAt string, edit ...func(*v1alpha1.CourseCompletionSpec)) v1alpha1.CourseCompletionSpec {
	sent, err := time.Parse(time.DateTime, sendAt)
	if err != nil {
		panic(err)
	}
	spec := v1alpha1.CourseCompletionSpec{
		Event:       v1alpha1.CompletionEvent{Slug: v1alpha1.EventSlug, SendAt: sendAt, SentAt: metav1.NewTime(sent)},
		Institution: v1alpha1.CompletionInstitution{ID: 1},
		Course:      v1alpha1.CompletionCourse{ID: 7},
		Enrollment:  v1alpha1.CompletionEnrollment{ID: 11, CourseID: 7, Activated: new(true), Status: new(int32(1))},
		User:        v1alpha1.CompletionUser{ID: 5, Name: "Ada"},
	}
	for _, e := range edit {
		e(&spec)
	}
	return spec
}

func inactive(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.Status = new(int32(0)) }

func expires(date string) func(*v1alpha1.CourseCompletionSpec) {
	return func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.DateExpire = date }
}

func (w *world) deliver(spec v1alpha1.CourseCompletionSpec) {
	name := spec.Name()
	spec.Event.FirstSentAt = new(spec.Event.SentAt)
	if stored, found := w.completions[name]; found {
		first := stored.Spec.Event.First()
		if spec.Event.SentAt.Before(&first) {
			first = spec.Event.SentAt
		}
		if stored.Spec.Event.SendAt >= spec.Event.SendAt {
			spec = stored.Spec
		}
		spec.Event.FirstSentAt = &first
	}
	w.completions[name] = v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

// plan plans, checks that planning again changes nothing, and lets what is planned exist.
func (w *world) plan() {
	w.t.Helper()
	w.last = For(w.person())
	w.grants = adopt(w.last)
	for _, again := range For(w.person()).Grants {
		if again.Changed() {
			w.t.Fatalf("planning again changes %s:\n%s", again.Name, cmp.Diff(again.Existing.Spec, again.Spec))
		}
	}
}

func (w *world) person() Person {
	person := Person{Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 5}, Prefix: "grad-", Zone: time.UTC,
		Grants: w.grants, Handmade: w.handmade, Now: w.now, Gone: map[string]bool{}}
	for _, completion := range w.completions {
		person.Completions = append(person.Completions, completion)
	}
	for _, policy := range w.policies {
		person.Policies = append(person.Policies, policies.Compile(policy, v1alpha1.PrivacySpec{}, testLimits))
	}
	for _, grant := range w.grants {
		for _, cause := range grant.Spec.Causes {
			if _, found := w.completions[string(cause.Completion)]; !found {
				person.Gone[string(cause.Completion)] = true
			}
		}
	}
	return person
}

func TestHistories(t *testing.T) {
	t.Parallel()
	const completion = "1-7-11-5"
	for name, tc := range map[string]struct {
		policy *v1alpha1.CompletionPolicy
		play   func(w *world)
		// want: whether the holder is entitled in the end, and why not.
		want    lifecycle.Stage
		wantEnd v1alpha1.CauseEnd
	}{
		"a withdrawn completion ends the grant at once": {
			play: func(w *world) { delete(w.completions, completion); w.plan() },
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseWithdrawn,
		},
		"a late repetition of what was withdrawn brings nothing back": {
			play: func(w *world) {
				delete(w.completions, completion)
				w.plan()
				w.deliver(delivered("2024-01-10 10:00:00"))
				w.plan()
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseWithdrawn,
		},
		"an older delivery than what was withdrawn brings nothing back": {
			play: func(w *world) {
				delete(w.completions, completion)
				w.plan()
				w.deliver(delivered("2024-01-09 10:00:00"))
				w.plan()
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseWithdrawn,
		},
		"a newer delivery than what was withdrawn entitles again": {
			play: func(w *world) {
				delete(w.completions, completion)
				w.plan()
				w.deliver(delivered("2024-01-10 11:00:00"))
				w.plan()
			},
			want: lifecycle.Active,
		},
		"an enrollment that turns inactive ends the grant": {
			play: func(w *world) { w.deliver(delivered("2024-01-10 11:00:00", inactive)); w.plan() },
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseEnrollmentInactive,
		},
		"an enrollment that is active again entitles again": {
			play: func(w *world) {
				w.deliver(delivered("2024-01-10 11:00:00", inactive))
				w.plan()
				w.deliver(delivered("2024-01-10 11:30:00"))
				w.plan()
			},
			want: lifecycle.Active,
		},
		"the end of the enrollment ends the grant without a plan": {
			play: func(w *world) {
				w.deliver(delivered("2024-01-10 11:00:00", expires("2024-02-29")))
				w.plan()
				w.now = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseEnrollmentExpired,
		},
		"the last second of the enrollment's last day still entitles": {
			play: func(w *world) {
				w.deliver(delivered("2024-01-10 11:00:00", expires("2024-02-29")))
				w.plan()
				w.now = time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)
			},
			want: lifecycle.Active, wantEnd: v1alpha1.CauseEnrollmentExpired,
		},
		"the data goes after the grace days": {
			play: func(w *world) {
				w.deliver(delivered("2024-01-10 11:00:00", expires("2024-02-29")))
				w.plan()
				w.now = time.Date(2024, 3, 31, 0, 0, 0, 0, time.UTC)
				w.grants[0].Status.AccessEndedAt = new(metav1.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC))
			},
			want: lifecycle.DataExpired, wantEnd: v1alpha1.CauseEnrollmentExpired,
		},
		"an end that is learned of late still leaves the grace days": {
			play: func(w *world) {
				w.deliver(delivered("2024-01-10 11:00:00", expires("2024-02-29")))
				w.now = time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
				w.plan()
				w.now = time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC)
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseEnrollmentExpired,
		},
		"a removed policy retains by default": {
			play: func(w *world) { clear(w.policies); w.plan() },
			want: lifecycle.Active,
		},
		"a removed policy ends the grant when it says so": {
			policy: namespacePolicy(removeWithPolicy),
			play:   func(w *world) { clear(w.policies); w.plan(); w.now = w.now.Add(time.Hour); w.plan() },
			want:   lifecycle.AccessExpired, wantEnd: v1alpha1.CausePolicyRemoved,
		},
		"a removed policy leaves the grant what the grant says, which an edit changed before": {
			play: func(w *world) {
				removeWithPolicy(&w.policies["graduates"].Spec)
				w.plan()
				clear(w.policies)
				w.plan()
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CausePolicyRemoved,
		},
		"a policy that comes back entitles again": {
			policy: namespacePolicy(removeWithPolicy),
			play: func(w *world) {
				clear(w.policies)
				w.plan()
				w.policies["graduates"] = namespacePolicy(removeWithPolicy)
				w.plan()
			},
			want: lifecycle.Active,
		},
		"a narrowed policy retains by default": {
			play: func(w *world) { w.policies["graduates"].Spec.Match.CourseIDs[0] = 8; w.plan() },
			want: lifecycle.Active,
		},
		"a narrowed policy ends the grant when it says so": {
			policy: namespacePolicy(removeWithPolicy),
			play:   func(w *world) { w.policies["graduates"].Spec.Match.CourseIDs[0] = 8; w.plan() },
			want:   lifecycle.AccessExpired, wantEnd: v1alpha1.CauseNotMatched,
		},
		"a policy that turns faulty takes nothing away": {
			policy: namespacePolicy(removeWithPolicy),
			play:   func(w *world) { w.policies["graduates"].Spec.Match.Expression = "nonsense("; w.plan() },
			want:   lifecycle.Active,
		},
		"a policy that turns faulty brings nothing back": {
			policy: namespacePolicy(removeWithPolicy),
			play: func(w *world) {
				w.policies["graduates"].Spec.Match.CourseIDs[0] = 8
				w.plan()
				w.policies["graduates"].Spec.Match.Expression = "nonsense("
				w.plan()
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseNotMatched,
		},
		"a policy that retains from now on brings nothing back": {
			policy: namespacePolicy(removeWithPolicy),
			play: func(w *world) {
				w.policies["graduates"].Spec.Match.CourseIDs[0] = 8
				w.plan()
				w.policies["graduates"].Spec.OnPolicyRemoval = v1alpha1.RemovalRetain
				w.plan()
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseNotMatched,
		},
		"a withdrawal ends the grant of a faulty policy": {
			play: func(w *world) {
				w.policies["graduates"].Spec.Match.Expression = "nonsense("
				delete(w.completions, completion)
				w.plan()
			},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseWithdrawn,
		},
		"a withdrawal ends the grant of a removed policy": {
			play: func(w *world) { clear(w.policies); delete(w.completions, completion); w.plan() },
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseWithdrawn,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := tc.policy
			if policy == nil {
				policy = namespacePolicy()
			}
			w := newWorld(t, policy)
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			if len(w.grants) != 1 || stateLettingGo(&w.grants[0], w.now).Stage != lifecycle.Active {
				t.Fatalf("no grant to begin with: %+v", w.grants)
			}
			rendered := w.grants[0].Spec.Namespaces
			tc.play(w)
			if len(w.grants) != 1 {
				t.Fatalf("got %d grants, want 1", len(w.grants))
			}
			if got := stateLettingGo(&w.grants[0], w.now).Stage; got != tc.want {
				t.Errorf("standing: got %v, want %v; causes %+v", got, tc.want, w.grants[0].Spec.Causes)
			}
			if got := w.grants[0].Spec.Causes[0].End; got != tc.wantEnd {
				t.Errorf("end: got %q, want %q", got, tc.wantEnd)
			}
			if diff := cmp.Diff(rendered, w.grants[0].Spec.Namespaces); diff != "" {
				t.Errorf("the rendering changed:\n%s", diff)
			}
		})
	}
}

// whatever ignores what depends on the order by its nature: what an end was before it was brought forward.
var whatever = cmpopts.IgnoreFields(v1alpha1.GrantSpec{}, "EndBroughtForward")

// TestOrderOfArrivalIsIrrelevant delivers the same deliveries in random orders, each followed by a plan, and expects
// the same Grants in the end.
func TestOrderOfArrivalIsIrrelevant(t *testing.T) {
	t.Parallel()
	var deliveries []v1alpha1.CourseCompletionSpec
	for _, enrollment := range []v1alpha1.PlatformID{11, 12, 13} {
		at := func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.ID = enrollment }
		deliveries = append(deliveries, delivered("2024-01-10 10:00:00", at),
			delivered("2024-01-10 10:00:01", at, expires("2024-06-30")), delivered("2024-01-10 10:00:02", at, inactive),
			delivered("2024-01-10 10:00:03", at, expires("2025-06-30")))
	}
	perUser := func(s *v1alpha1.CompletionPolicySpec) {
		s.GrantPer = v1alpha1.GrantPerUser
		s.Namespaces[0].Name = "grad-all-${user.id}"
	}
	alumni := namespacePolicy(perUser)
	alumni.Name = "alumni"
	var want []v1alpha1.Grant
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, namespacePolicy(), alumni)
		shuffled := slices.Clone(deliveries)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for _, delivery := range shuffled {
			w.deliver(delivery)
			if random.IntN(2) == 0 {
				w.plan()
			}
		}
		w.plan()
		if want == nil {
			want = w.grants
		}
		if diff := cmp.Diff(want, w.grants, whatever); diff != "" {
			t.Fatalf("seed %d ends differently:\n%s", seed, diff)
		}
	}
	if len(want) != 4 {
		t.Fatalf("got %d grants, want one for each of three enrollments and one for the user", len(want))
	}
}

// retain is the retention of the histories below.
const retain = 100 * moment.Day

func (w *world) retained() Plan {
	person := w.person()
	person.Retention = retain
	w.last = For(person)
	w.grants = adopt(w.last)
	return w.last
}

func TestRetention(t *testing.T) {
	t.Parallel()
	const completion = "1-7-11-5"
	born := time.Date(2024, 1, 10, 10, 0, 0, 0, time.UTC)
	w := newWorld(t, namespacePolicy())
	w.deliver(delivered("2024-01-10 10:00:00"))
	stored := w.completions[completion]
	stored.CreationTimestamp = metav1.NewTime(born)
	w.completions[completion] = stored

	got := w.retained()
	if len(got.Expired) != 0 || !got.Next.Equal(born.Add(retain)) {
		t.Fatalf("before its time: expired %v, next %v", got.Expired, got.Next)
	}
	w.now = born.Add(retain)
	got = w.retained()
	if len(got.Expired) != 0 || w.grants[0].Spec.Causes[0].ArchivedAt == nil {
		t.Fatal("a completion goes before its grant has noted that")
	}
	got = w.retained()
	if len(got.Expired) != 1 || got.Expired[0].Name != completion {
		t.Fatalf("expired: %v, want the completion", got.Expired)
	}
	delete(w.completions, completion)
	w.now = w.now.Add(10 * retain)
	got = w.retained()
	if end := stateLettingGo(&w.grants[0], w.now); end.Stage != lifecycle.Active || len(got.Over) != 0 {
		t.Fatalf("what retention deletes ends a grant: %v, over %v", end, got.Over)
	}
	w.deliver(delivered("2024-01-10 10:00:00"))
	again := w.retained()
	if again.Grants[0].Changed() {
		t.Fatal("a late repetition of what was archived changes the grant")
	}
	w.deliver(delivered("2024-01-11 10:00:00", inactive))
	w.retained()
	if stateLettingGo(&w.grants[0], w.now).Stage == lifecycle.Active {
		t.Fatal("a newer delivery than what was archived does not count")
	}
}

func TestAnEndedGrantGoesAfterItsHistory(t *testing.T) {
	t.Parallel()
	const completion = "1-7-11-5"
	w := newWorld(t, namespacePolicy())
	w.deliver(delivered("2024-01-10 10:00:00"))
	w.retained()
	delete(w.completions, completion)
	withdrawn := w.now
	w.retained()
	w.grants[0].Status.Phase = v1alpha1.GrantEnded
	w.now = withdrawn.Add(retain - time.Second)
	if got := w.retained(); len(got.Over) != 0 || !got.Next.Equal(withdrawn.Add(retain)) {
		t.Fatalf("over too soon: %v, next %v", got.Over, got.Next)
	}
	w.now = withdrawn.Add(retain)
	if got := w.retained(); len(got.Over) != 1 {
		t.Fatal("an ended grant outstays its history")
	}
	w.grants[0].Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-5-7"}}
	if got := w.retained(); len(got.Over) != 0 {
		t.Fatal("a grant goes that still has something in the cluster")
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	manual := func(s *v1alpha1.CompletionPolicySpec) { s.Approval = v1alpha1.ApprovalManual }
	approved := v1alpha1.GrantOverride{Approved: new(true)}
	extended := v1alpha1.GrantOverride{Until: new(metav1.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	automatic := func(s *v1alpha1.CompletionPolicySpec) { s.Approval = v1alpha1.ApprovalAutomatic }
	for name, tc := range map[string]struct {
		first, then func(*v1alpha1.CompletionPolicySpec)
		override    v1alpha1.GrantOverride
		want        lifecycle.Stage
	}{
		"a grant of a manual policy waits": {first: manual, then: manual, want: lifecycle.AwaitingApproval},
		"an approved one is in effect": {
			first: manual, then: manual, override: approved, want: lifecycle.Active,
		},
		"a later end that a person sets approves as well": {
			first: manual, then: manual, override: extended, want: lifecycle.Active,
		},
		"a policy that turns automatic lets it take effect":   {first: manual, then: automatic, want: lifecycle.Active},
		"a policy that turns manual holds up nothing it gave": {first: automatic, then: manual, want: lifecycle.Active},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy(tc.first))
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			w.policies["graduates"] = namespacePolicy(tc.then)
			w.grants[0].Spec.Override = tc.override
			w.plan()
			if got := stateLettingGo(&w.grants[0], w.now).Stage; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// stateLettingGo returns where a Grant stands once the brake has let its end through.
func stateLettingGo(grant *v1alpha1.Grant, now time.Time) lifecycle.State {
	grant = grant.DeepCopy()
	if lifecycle.StateOf(grant, now).Paused {
		lifecycle.Admit(grant, lifecycle.EndRevocation(grant), now, "")
	}
	return lifecycle.StateOf(grant, now)
}
