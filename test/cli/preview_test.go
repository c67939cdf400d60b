// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// previewed is what is read of `kubectl course preview -o json`.
type previewed struct {
	Policies              []struct{ Name, Action, Trial string }
	Gains, Changes, Loses preview.Tally
	Brakes                []preview.Brake
	Faults                []struct {
		Field, File, Message string
		Line, Column         int
	}
	Notes []string
}

// kinds returns what was said of each Grant.
func (p *previewed) kinds() map[string]preview.Kind {
	found := map[string]preview.Kind{}
	for kind, tally := range map[preview.Kind]preview.Tally{
		preview.Gains: p.Gains, preview.Changes: p.Changes, preview.Loses: p.Loses,
	} {
		for _, row := range tally.First {
			found[row.Grant] = kind
		}
	}
	return found
}

// previews runs the command for JSON; it has to end with 0, where no grant would change, or 1.
func (p *person) previews(args ...string) *previewed {
	p.t.Helper()
	g := NewWithT(p.t)
	got := p.course(append([]string{"preview", "-o", "json"}, args...)...)
	found := &previewed{}
	g.Expect(json.Unmarshal([]byte(got.out), found)).To(Succeed(), got.String())
	differs := 0
	if len(found.kinds()) > 0 {
		differs = 1
	}
	g.Expect(got.code).To(Equal(differs), got.String())
	return found
}

// file writes objects into a file, each with its kind.
func file(t *testing.T, objects ...client.Object) string {
	t.Helper()
	g := NewWithT(t)
	var content []byte
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		g.Expect(err).NotTo(HaveOccurred())
		content = append(append(content, "---\n"...), text...)
	}
	return text(t, string(content))
}

func text(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yaml")
	NewWithT(t).Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	return path
}

// typed has an object say its kind, as files do.
func typed(policy *v1alpha1.CompletionPolicy) *v1alpha1.CompletionPolicy {
	policy.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CompletionPolicy"}
	policy.ResourceVersion, policy.UID, policy.ManagedFields = "", "", nil
	policy.CreationTimestamp, policy.Generation = metav1.Time{}, 0
	policy.Status = v1alpha1.CompletionPolicyStatus{}
	return policy
}

// snapshot is what there is of the Grants of a school, and what each gives.
type snapshot struct {
	grants map[string]v1alpha1.Grant
	has    map[string]map[string]bool
}

func (s *school) snapshot() snapshot {
	s.t.Helper()
	g := NewWithT(s.t)
	found := snapshot{map[string]v1alpha1.Grant{}, map[string]map[string]bool{}}
	var grants v1alpha1.GrantList
	g.Expect(admin.List(s.t.Context(), &grants, client.InNamespace(s.Namespace))).To(Succeed())
	for i := range grants.Items {
		grant := &grants.Items[i]
		has := map[string]bool{}
		for _, seat := range grant.Status.Seats {
			has["seat "+string(seat.Pool)] = true
		}
		for _, entry := range grant.Status.Inventory {
			if entry.Kind != "RoleBinding" {
				continue
			}
			var binding rbacv1.RoleBinding
			err := admin.Get(s.t.Context(), client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}, &binding)
			g.Expect(client.IgnoreNotFound(err)).To(Succeed())
			for _, subject := range binding.Subjects {
				has["access "+*entry.Namespace+" "+binding.RoleRef.Name+" "+subject.Name] = true
			}
		}
		found.grants[grant.Name], found.has[grant.Name] = *grant, has
	}
	return found
}

// entitled reports whether a Grant gives what it says.
func entitled(grant *v1alpha1.Grant) bool {
	return grant.Name != "" && lifecycle.StateOf(grant, time.Now()).Stage == lifecycle.Active
}

// happened returns what became of each Grant.
func happened(before, after snapshot) map[string]preview.Kind {
	found := map[string]preview.Kind{}
	for name, now := range after.grants {
		was, there := before.grants[name]
		lost := entitled(&was) && !entitled(&now)
		for thing := range before.has[name] {
			lost = lost || !after.has[name][thing]
		}
		switch {
		case !there:
			found[name] = preview.Gains
		case lost:
			found[name] = preview.Loses
		case !entitled(&was) && entitled(&now):
			found[name] = preview.Gains
		case !cmp.Equal(was.Spec, now.Spec):
			found[name] = preview.Changes
		}
	}
	return found
}

// settled waits until everything that is planned is in place.
func (s *school) settled() snapshot {
	s.t.Helper()
	var found snapshot
	NewWithT(s.t).Eventually(func(g Gomega) {
		var completions v1alpha1.CourseCompletionList
		g.Expect(admin.List(s.t.Context(), &completions, client.InNamespace(s.Namespace))).To(Succeed())
		for _, completion := range completions.Items {
			g.Expect(completion.Status.ObservedGeneration).To(Equal(completion.Generation))
		}
		found = s.snapshot()
		for _, grant := range found.grants {
			g.Expect(grant.Status.ObservedGeneration).To(Equal(grant.Generation))
			g.Expect(grant.Status.Phase).To(BeElementOf(v1alpha1.GrantActive, v1alpha1.GrantEnded,
				v1alpha1.GrantAwaitingApproval), grant.Name)
			// The pool takes seats back by itself.
			seats := len(grant.Spec.Seats)
			if !entitled(&grant) {
				seats = 0
			}
			g.Expect(grant.Status.Seats).To(HaveLen(seats), grant.Name)
		}
	}, soon, often).Should(Succeed())
	return found
}

// edit is a random policy of one of three names. What is immutable follows from the name.
func (s *school) edit(random *rand.Rand, name string) *v1alpha1.CompletionPolicy {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	courses := [][]v1alpha1.PlatformID{{1}, {2}, {1, 2}, {1, 2, 3}}[random.IntN(4)]
	return s.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Name = name
		p.Spec.Match.CourseIDs = courses
		p.Spec.Match.Expression = pick("", "", "user.id % 2 == 0", "enrollment.id > 1003")
		p.Spec.OnPolicyRemoval = v1alpha1.RemovalAction(pick("Retain", "Delete", "Delete"))
		p.Spec.Lifetime.GraceDays = new(int32(30))
		p.Spec.Lifetime.Until = pick("", "", "2047-01-31", "2026-10-31")
		p.Spec.Namespaces[0].Name = v1alpha1.Template(s.prefix() + name + "-${user.id}")
		p.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{"term": v1alpha1.Template(pick("a", "b"))}
		p.Spec.Namespaces[0].Access[0].Subjects[0].Name = v1alpha1.Template(
			pick("oidc:${user.email}", "oidc:${user.email}", "id:${string(user.id)}"))
		switch name {
		case "each":
			p.Spec.GrantPer = v1alpha1.GrantPerCompletion
			p.Spec.Namespaces[0].Name = v1alpha1.Template(s.prefix() + "${enrollment.id}-${user.id}")
		case "seats":
			p.Spec.Namespaces = nil
			p.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "one"}, {Pool: "two"}}[:1+random.IntN(2)]
		}
	})
}

// TestPreviewSaysWhatHappens edits random policies. What the preview said before has to be what happens then.
func TestPreviewSaysWhatHappens(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t, func(s *v1alpha1.InstitutionSpec) { s.RevocationBudget = new(int32(1000)) })
	for _, name := range []string{"one", "two"} {
		g.Expect(admin.Create(t.Context(), &v1alpha1.SeatPool{
			ObjectMeta: metav1.ObjectMeta{Namespace: school.Namespace, Name: name},
			Spec:       v1alpha1.SeatPoolSpec{Capacity: new(int32(50))},
		})).To(Succeed())
	}
	random := rand.New(rand.NewPCG(3, 5))
	for user := range int64(6) {
		for course := range int64(1 + random.IntN(3)) {
			school.deliver(user+1, map[string]any{"course.id": course + 1, "enrollment.course_id": course + 1,
				"enrollment.id": 1000 + 10*course + user})
		}
	}
	who := school.with("completion-viewer", "completion-policy-author")
	seen := map[preview.Kind]int{}
	before := school.settled()
	for n := range 14 {
		policy := school.edit(random, []string{"lab", "each", "seats"}[n%3])
		path := file(t, typed(policy.DeepCopy()))
		said := who.previews("-n", school.Namespace, "-f", path)
		g.Expect(said.Policies[0].Trial).To(BeElementOf("accepted", ""))
		g.Expect(school.snapshot().grants).To(HaveLen(len(before.grants)), "what was said of the edit before still holds")

		existing := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: policy.Namespace, Name: policy.Name}}
		if said.Policies[0].Action == "create" {
			school.apply(policy)
		} else {
			g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(existing), existing)).To(Succeed())
			had := existing.DeepCopy()
			existing.Spec = policy.Spec
			g.Expect(admin.Patch(t.Context(), existing, client.MergeFrom(had))).To(Succeed())
		}
		var after snapshot
		g.Eventually(func(g Gomega) {
			g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(existing), existing)).To(Succeed())
			g.Expect(existing.Status.ObservedGeneration).To(Equal(existing.Generation))
			after = school.snapshot()
			g.Expect(happened(before, after)).To(Equal(said.kinds()))
		}, soon, often).Should(Succeed(), "edit %d: %+v", n, said)
		after = school.settled()
		g.Expect(happened(before, after)).To(Equal(said.kinds()), "edit %d", n)
		for _, kind := range said.kinds() {
			seen[kind]++
		}
		// What it is now would change nothing.
		g.Expect(who.previews("-n", school.Namespace, "-f", path).kinds()).To(BeEmpty())
		before = after
	}
	g.Expect(seen).To(And(HaveKey(preview.Gains), HaveKey(preview.Changes), HaveKey(preview.Loses)), "too little happened")
}

// TestPreviewOfADelivery posts what the preview was given before.
func TestPreviewOfADelivery(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	body, err := system.Variant(map[string]any{"institution.id": int64(school.ID), "user.id": 7, "enrollment.id": 70,
		"user.email": "ada@example.edu", "event.send_at": "2026-10-01 12:00:00"})
	g.Expect(err).NotTo(HaveOccurred())
	payload := text(t, string(body))
	who := school.with("completion-viewer")
	said := who.previews("-n", school.Namespace, "--payload", payload)
	name := fmt.Sprintf("lab.%d-7", school.ID)
	g.Expect(said.kinds()).To(Equal(map[string]preview.Kind{name: preview.Gains}))
	shown := who.course("preview", "-n", school.Namespace, "--payload", payload).out
	g.Expect(shown).To(And(ContainSubstring("Gains:     1 grant"), ContainSubstring("name: "+school.prefix()+"7"),
		Not(ContainSubstring("ada@"))))
	g.Expect(who.course("preview", "-n", school.Namespace, "--payload", payload, "--show-personal-data").out).To(
		ContainSubstring("oidc:ada@example.edu"))

	answer, err := system.Deliver(t.Context(), school.URLs[0], body)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Status).To(Equal(200))
	school.awaitGrant(name, v1alpha1.GrantActive)
	said = who.previews("-n", school.Namespace, "--payload", payload)
	g.Expect(said.kinds()).To(BeEmpty())
	g.Expect(said.Notes).To(ContainElement(ContainSubstring("duplicate")))

	got := who.courseInput(`{"event": {}, "data": {}}`, "preview", "-n", school.Namespace, "--payload", "-")
	g.Expect(got.code).To(Equal(2))
}

func TestPreviewOfTheBrake(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t, func(s *v1alpha1.InstitutionSpec) { s.RevocationBudget = new(int32(2)) })
	policy := school.labPolicy(func(p *v1alpha1.CompletionPolicy) { p.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete })
	school.apply(policy)
	for user := range int64(5) {
		school.deliver(user + 1)
	}
	for user := range 5 {
		school.awaitGrant(fmt.Sprintf("lab.%d-%d", school.ID, user+1), v1alpha1.GrantActive)
	}
	who := school.with("completion-viewer")
	said := who.previews("-n", school.Namespace, "--delete", "lab")
	g.Expect(said.Loses.Grants).To(Equal(5))
	g.Expect(said.Policies[0].Trial).To(ContainSubstring("completion-policy-author"))
	g.Expect(said.Brakes).To(HaveLen(1))
	g.Expect(said.Brakes[0]).To(And(HaveField("Counts", 5), HaveField("Goes", 2), HaveField("Waits", 3),
		HaveField("Trips", true)))
	g.Expect(who.course("preview", "-n", school.Namespace, "--delete", "lab").out).To(ContainSubstring(
		"5 revocations count against the budget of 2 per hour (0 already used). It would trip: 2 proceed, 3 are paused"))

	narrowed := school.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete
		p.Spec.Match.Expression = "user.id > 5"
	})
	said = who.previews("-n", school.Namespace, "-f", file(t, typed(narrowed.DeepCopy())))
	g.Expect(said.Brakes[0]).To(And(HaveField("Counts", 5), HaveField("Goes", 2), HaveField("Waits", 3)))
	had := policy.DeepCopy()
	policy.Spec = narrowed.Spec
	g.Expect(admin.Patch(t.Context(), policy, client.MergeFrom(had))).To(Succeed())
	g.Eventually(func(g Gomega) {
		ended, held := 0, 0
		for _, grant := range school.snapshot().grants {
			switch ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady); {
			case grant.Status.Phase == v1alpha1.GrantEnded:
				ended++
			case ready != nil && ready.Reason == v1alpha1.ReasonRevocationPaused:
				held++
			}
		}
		g.Expect([]int{ended, held}).To(Equal([]int{2, 3}))
	}, soon, often).Should(Succeed())
	var institution v1alpha1.Institution
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: school.Namespace, Name: "institution"},
			&institution)).To(Succeed())
		g.Expect(institution.Status.Brake.Trip).NotTo(BeEmpty())
	}, soon, often).Should(Succeed())
	school.deliver(9)
	school.awaitGrant(fmt.Sprintf("lab.%d-9", school.ID), v1alpha1.GrantActive)
	said = who.previews("-n", school.Namespace, "--delete", "lab")
	g.Expect(said.Brakes[0]).To(And(HaveField("Tripped", true), HaveField("Counts", 1), HaveField("Waits", 1),
		HaveField("CountedWithinHour", 2)))
}

const faultyPolicy = `apiVersion: completions.lxp.dev/v1alpha1
kind: CompletionPolicy
metadata:
  name: lab
spec:
  match:
    courseIDs: [1]
    expression: |
      user.id > 1
        && nobody.id == 1
  namespaces:
    - name: i1-${user.id}
      labels:
        who: 'it''s ${user.nam}'
        mail: ${user.email}
      access:
        - subjects:
            - name: >-
                oidc:
                ${user.emial}
`

func TestPreviewShowsMistakesInTheFile(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	// Who writes policies sees the mistakes without seeing completions.
	author := school.with("completion-policy-author")
	got := author.course("preview", "-n", school.Namespace, "-f", text(t, faultyPolicy))
	g.Expect(got.code).To(Equal(2), got.String())
	g.Expect(got.err).To(And(
		MatchRegexp(`file.yaml:10:12: policy lab: spec.match.expression: line 2, column 6: .*nobody`),
		MatchRegexp(`file.yaml:14:27: policy lab: spec.namespaces\[0\].labels\[who\]: column 12: .*nam`),
		MatchRegexp(`file.yaml:15:17: policy lab: spec.namespaces\[0\].labels\[mail\]: column 3: .*personal`),
		MatchRegexp(`file.yaml:20:23: policy lab: spec.namespaces\[0\].access\[0\].subjects\[0\].name: column 13: .*emial`)))

	// What only the API server knows has its place too.
	both := school.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Spec.GrantPer, p.Spec.Match.Require = v1alpha1.GrantPerCompletion, v1alpha1.MatchAll
	})
	got = author.course("preview", "-n", school.Namespace, "-f", file(t, typed(both)))
	g.Expect(got.code).To(Equal(2), got.String())
	g.Expect(got.err).To(MatchRegexp(`file.yaml:\d+:\d+: policy lab: spec: .*match.require All needs grantPer User`))

	got = author.course("preview", "-n", school.Namespace, "-f", text(t, faultyPolicy+"  unheard: of\n"))
	g.Expect(got.code).To(Equal(2), got.String())
	g.Expect(got.err).To(MatchRegexp(`file.yaml:21:3: unknown field "spec.unheard"`))
}

func TestPreviewNeedsTheViewer(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	path := file(t, typed(school.labPolicy()))
	args := []string{"preview", "-n", school.Namespace, "-f", path}
	got := school.with("completion-viewer").course(args...)
	g.Expect(got.code).To(Equal(0), got.String())
	g.Expect(got.out).To(ContainSubstring("not asked, since you may not create completionpolicies here; the ClusterRole " +
		"completion-policy-author allows it"))
	g.Expect(got.err).To(ContainSubstring("so the default limits are assumed"))
	for _, roles := range [][]string{{"completion-policy-author"}, {}} {
		got = school.with(roles...).course(args...)
		g.Expect(got.code).To(Equal(2), got.String())
		g.Expect(got.err).To(And(ContainSubstring("forbidden"),
			ContainSubstring("The ClusterRole completion-viewer allows it")))
	}
	got = administrator(t).course("preview", "--nonsense")
	g.Expect(got.code).To(Equal(2), got.String())
	g.Expect(administrator(t).course("preview").code).To(Equal(2))
	g.Expect(administrator(t).course("preview", "-n", school.Namespace, "--delete", "nobody").code).To(Equal(2))
}

func TestPreviewOfOneUser(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	for user := range int64(2) {
		school.deliver(user + 1)
		school.awaitGrant(fmt.Sprintf("lab.%d-%d", school.ID, user+1), v1alpha1.GrantActive)
	}
	changed := school.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{"term": "next"}
	})
	got := school.with("completion-viewer").course("preview", "-n", school.Namespace, "-f", file(t, typed(changed)),
		"--user", "2")
	g.Expect(got.code).To(Equal(1), got.String())
	g.Expect(got.out).To(And(ContainSubstring("Changes:   1 grant"), ContainSubstring("+  labels:\n+    term: next\n"),
		ContainSubstring(fmt.Sprintf("Grant lab.%d-2 (changes)", school.ID)), Not(ContainSubstring("example.edu"))))
}

// TestPreviewOffline needs neither a cluster nor a kubeconfig.
func TestPreviewOffline(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	nobody := &person{t: t, kubeconfig: filepath.Join(t.TempDir(), "none")}
	institution := text(t, "apiVersion: completions.lxp.dev/v1alpha1\nkind: Institution\nmetadata: {name: one}\n"+
		"spec: {id: 12345, namespacePrefix: i1-, authentication: {tokenSecretRefs: [{name: token}]}}\n")
	policy := (&school{Institution: &system.Institution{ID: 1, Namespace: "institution-1"}, t: t}).labPolicy()
	body, err := system.ContractExample()
	g.Expect(err).NotTo(HaveOccurred())
	path, payload := file(t, typed(policy)), text(t, string(body))
	said := nobody.previews("--offline", "-f", institution, "-f", path)
	g.Expect(said.kinds()).To(BeEmpty())
	said = nobody.previews("--offline", "-f", institution, "-f", path, "--payload", payload)
	g.Expect(said.kinds()).To(Equal(map[string]preview.Kind{"lab.12345-987654321": preview.Gains}))
	other, err := system.Variant(map[string]any{"institution.id": 7})
	g.Expect(err).NotTo(HaveOccurred())
	got := nobody.course("preview", "--offline", "-f", institution, "-f", path, "--payload", text(t, string(other)))
	g.Expect(got.code).To(Equal(2), got.String())
	g.Expect(got.err).To(ContainSubstring("the delivery is for institution 7 (data.institution.id), but this is " +
		"institution 12345: `kubectl course send --example --institution ID` prints an example"))
	got = nobody.course("preview", "--offline", "-f", institution, "-f", text(t, faultyPolicy), "-o", "json")
	g.Expect(got.code).To(Equal(2), got.String())
	found := &previewed{}
	g.Expect(json.Unmarshal([]byte(got.out), found)).To(Succeed(), got.String())
	g.Expect(slices.Collect(maps.Keys(func() map[int]bool {
		lines := map[int]bool{}
		for _, fault := range found.Faults {
			lines[fault.Line] = true
		}
		return lines
	}()))).To(ConsistOf(10, 14, 15, 20))
}
