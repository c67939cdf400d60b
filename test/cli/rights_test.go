// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// withLess is a person who has a ClusterRole in the institution's namespace, except for one right.
func (s *school) withLess(role, verb, resource string) *person {
	s.t.Helper()
	return s.with(lessOf(s.t, role, verb, resource))
}

// lessOf makes a ClusterRole that is another one except for one right, and returns its name.
func lessOf(t *testing.T, role, verb, resource string) string {
	t.Helper()
	g := NewWithT(t)
	var whole rbacv1.ClusterRole
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: role}, &whole)).To(Succeed())
	less, found := &rbacv1.ClusterRole{}, false
	for _, rule := range whole.Rules {
		for _, of := range rule.Resources {
			verbs := slices.Clone(rule.Verbs)
			if of == resource {
				found = found || slices.Contains(verbs, verb)
				verbs = slices.DeleteFunc(verbs, func(v string) bool { return v == verb })
			}
			if len(verbs) > 0 {
				less.Rules = append(less.Rules, rbacv1.PolicyRule{
					APIGroups: rule.APIGroups, Resources: []string{of}, ResourceNames: rule.ResourceNames, Verbs: verbs,
				})
			}
		}
	}
	g.Expect(found).To(BeTrue(), "%s has no right to %s %s", role, verb, resource)
	less.ObjectMeta = metav1.ObjectMeta{Name: fmt.Sprintf("less-%d", nextID.Add(1))}
	g.Expect(admin.Create(t.Context(), less)).To(Succeed())
	return less.Name
}

// buffer is what a program says while it runs.
type buffer struct {
	mu   sync.Mutex
	text []byte
}

// Write takes what the program says.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

// String is what it has said.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// regexpFind returns what the first group of a pattern matches.
func regexpFind(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("%s is not in:\n%s", pattern, text)
	}
	return found[1]
}
