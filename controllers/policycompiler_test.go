// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// heldCompiler compiles, but for a policy that it holds back.
type heldCompiler struct {
	limits policies.Limits

	mu   sync.Mutex
	held map[string]chan struct{}
	// times is how often each policy was compiled, by generation.
	times map[string]map[int64]int
}

func (h *heldCompiler) hold(policy string) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	released := make(chan struct{})
	h.held[policy] = released
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.held, policy)
		close(released)
	})
}

func (h *heldCompiler) compile(policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec) *policies.Policy {
	h.mu.Lock()
	if h.times[policy.Name] == nil {
		h.times[policy.Name] = map[int64]int{}
	}
	h.times[policy.Name][policy.Generation]++
	held := h.held[policy.Name]
	h.mu.Unlock()
	if held != nil {
		<-held
	}
	return policies.Compile(policy, privacy, h.limits)
}

// began reports whether a generation of a policy is being compiled, or was.
func (h *heldCompiler) began(policy string, generation int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.times[policy][generation] > 0
}

// While a policy is being compiled nobody waits for it: others plan and grant, and what it granted stays as it is,
// until it says otherwise.
func TestPolicyThatIsBeingCompiledHoldsUpNobody(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	compiler := &heldCompiler{limits: w.limits, held: map[string]chan struct{}{}, times: map[string]map[int64]int{}}
	w.compile = compiler.compile
	slow := MakePolicy(w, "slow").Namespace(v1alpha1.Template(w.prefix + "slow-${user.id}")).
		OnPolicyRemoval(v1alpha1.RemovalDelete).Obj()
	w.create(MakeInstitution(w).Obj(), MakeLab(w, "lab").Obj(), slow)
	w.start()
	first := MakeCompletion(w, 1).Obj()
	w.create(first)
	granted := w.grantOf("slow", first)
	w.awaitActive(granted)
	w.awaitActive(w.grantOf("lab", first))

	release := compiler.hold("slow")
	t.Cleanup(release)
	w.change(slow, func() { slow.Spec.Match.CourseIDs = []v1alpha1.PlatformID{course + 1} })
	// A completion that is seen before the policy is planned with the policy as it was.
	w.eventually(func(g Gomega) { g.Expect(compiler.began("slow", slow.Generation)).To(BeTrue()) })
	second, third := MakeCompletion(w, 2).Obj(), MakeCompletion(w, 3).Course(course+1).Obj()
	w.create(second, third)
	w.awaitActive(w.grantOf("lab", second))
	w.touch(first)
	w.consistently(func(g Gomega) {
		before := granted.DeepCopy()
		w.get(granted)
		g.Expect(granted.Spec).To(Equal(before.Spec))
		var grants v1alpha1.GrantList
		g.Expect(admin.List(t.Context(), &grants, client.InNamespace(w.namespace))).To(Succeed())
		g.Expect(grants.Items).To(HaveLen(3))
	})

	release()
	w.eventually(func(g Gomega) {
		w.get(granted)
		g.Expect(granted.Spec.AccessEndsAt).NotTo(BeNil())
	})
	w.awaitActive(w.grantOf("slow", third))
	w.awaitReason(second, v1alpha1.ReasonGranted)
	w.awaitReason(slow, v1alpha1.ReasonReady)
	compiler.mu.Lock()
	defer compiler.mu.Unlock()
	for policy, generations := range compiler.times {
		if most := slices.Max(slices.Collect(maps.Values(generations))); most > 1 {
			t.Errorf("policy %s was compiled %d times", policy, most)
		}
	}
}
