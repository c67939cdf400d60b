// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestBrakeThatHoldsIsKeptByARestart(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(2)), 5)
	c.withdraw(0, 5)
	trip := c.awaitTrip(3)
	c.await(0, 3, 2)
	for range 2 {
		c.stop()
		c.start()
		c.await(0, 3, 2)
	}
	NewWithT(t).Expect(c.awaitTrip(3)).To(Equal(trip), "it is another trip after a restart")
	// It is released while nobody looks.
	c.stop()
	c.release(trip)
	c.start()
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.await(0, 0, 5)
	NewWithT(t).Expect(c.events(NewWithT(t))).To(HaveKeyWithValue(v1alpha1.ReasonBudgetExceeded, 1))
}

// What a manager let through before it ended counts for the next one, and only once.
func TestCountOfRevocationsIsKeptByARestart(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(3)), 6)
	c.withdraw(0, 2)
	c.await(4, 0, 2)
	c.stop()
	c.start()
	c.withdraw(2, 3)
	c.await(3, 0, 3)
	c.neverTripped()
	c.stop()
	c.withdraw(3, 6)
	c.start()
	c.awaitTrip(3)
	c.await(0, 3, 3)
}

// cutLine lets a manager fail to delete RoleBindings for as long as it is on.
type cutLine struct {
	on    atomic.Bool
	tried atomic.Int64
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (f *cutLine) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if f.on.Load() && request.Method == http.MethodDelete && strings.Contains(request.URL.Path, "/rolebindings/") {
			f.tried.Add(1)
			return nil, errors.New("the line is cut")
		}
		return next.RoundTrip(request)
	})
}

// A manager that ends between what it wrote down and what it did has let one revocation through, not two and not none.
func TestEndBetweenAdmissionAndEffectCountsOnce(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	line := &cutLine{}
	w.wrap = line.wrap
	c := w.crowd(new(int32(2)), 4)
	line.on.Store(true)
	c.withdraw(0, 1)
	c.eventually(func(g Gomega) {
		g.Expect(line.tried.Load()).To(BeNumerically(">", 2))
		g.Expect(c.bindings(g)).To(HaveLen(4))
	})
	c.stop()
	line.on.Store(false)
	c.start()
	c.await(3, 0, 1)
	c.withdraw(1, 2)
	c.await(2, 0, 2)
	c.neverTripped()
	c.withdraw(2, 4)
	c.awaitTrip(2)
	c.await(0, 2, 2)
}
