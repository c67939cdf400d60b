// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// ledger sees what a manager writes, and holds it to the order: first the admission is stored, then something goes.
type ledger struct {
	mu       sync.Mutex
	prefix   string
	admitted map[string]bool
	gone     map[string]bool
	early    []string
}

func (l *ledger) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		path := request.URL.Path
		if request.Method == http.MethodDelete && strings.Contains(path, "/namespaces/"+l.prefix) {
			l.goes(strings.Split(strings.SplitAfter(path, "/namespaces/"+l.prefix)[1], "/")[0])
			return next.RoundTrip(request)
		}
		if request.Method != http.MethodPatch || !strings.HasSuffix(path, "/status") || !strings.Contains(path, "/grants/") {
			return next.RoundTrip(request)
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		response, err := next.RoundTrip(request)
		if err == nil && response.StatusCode < 300 && bytes.Contains(body, []byte(`"admissions"`)) {
			name := strings.TrimSuffix(path[strings.LastIndex(path, "/grants/")+len("/grants/"):], "/status")
			l.mu.Lock()
			defer l.mu.Unlock()
			l.admitted[name[strings.LastIndex(name, "-")+1:]] = true
		}
		return response, err
	})
}

// goes notes that something in the namespace of a user is deleted.
func (l *ledger) goes(user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[user] = true
	if !l.admitted[user] {
		l.early = append(l.early, user)
	}
}

// Waves of deletions, restarts and hours: whatever many workers do at the same time, nothing goes that was not let
// through and stored before, and no version of the Grants, ever, has more let through within an hour than the budget.
func TestBrakeNeverLetsThroughMoreThanTheBudget(t *testing.T) {
	t.Parallel()
	const budget, users = 4, 18
	w := makeWorld(t)
	g := NewWithT(t)
	seen := &ledger{prefix: w.prefix, admitted: map[string]bool{}, gone: map[string]bool{}}
	w.wrap = seen.wrap
	versions, err := admin.Watch(t.Context(), &v1alpha1.GrantList{}, client.InNamespace(w.namespace))
	g.Expect(err).NotTo(HaveOccurred())
	defer versions.Stop()
	// The latest admission of each Grant, whether or not it was let through by a release.
	admissions := map[string]v1alpha1.RevocationAdmission{}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for version := range versions.ResultChan() {
			if grant, ok := version.Object.(*v1alpha1.Grant); ok && len(grant.Status.Admissions) > 0 {
				admissions[grant.Name] = grant.Status.Admissions[0]
			}
		}
	}()

	c := w.crowd(new(int32(budget)), users)
	c.withdraw(0, 6)
	first := c.awaitTrip(2)
	c.withdraw(6, 9)
	c.awaitTrip(5)
	c.stop()
	c.start()
	c.await(9, 5, 4)
	c.release(first)
	c.await(9, 0, 9)
	c.withdraw(9, 12)
	c.await(6, 0, 12)
	c.stop()
	c.withdraw(12, users)
	c.start()
	second := c.awaitTrip(5)
	c.step(2 * time.Hour)
	c.await(0, 5, 13)
	c.release(second)
	c.await(0, 0, users)
	versions.Stop()
	<-watched

	g.Expect(admissions).To(HaveLen(users))
	counted := map[string]int{}
	for name, admission := range admissions {
		counted[admission.ReleasedTrip]++
		g.Expect(admission.Type).To(Equal(v1alpha1.RevocationAccessEnd), name)
	}
	g.Expect(counted).To(Equal(map[string]int{"": 2 * budget, first: 5, second: 5}))
	seen.mu.Lock()
	defer seen.mu.Unlock()
	g.Expect(seen.early).To(BeEmpty(), "something went before its admission was stored")
	g.Expect(seen.gone).To(HaveLen(users))
}
