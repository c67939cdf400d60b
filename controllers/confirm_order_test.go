// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// orderly finds out whether somebody reads live what was planned for a person while the person's completions are read.
type orderly struct {
	asked          chan struct{}
	looks, tooSoon atomic.Int32
}

func (o *orderly) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		directory, name := path.Split(request.URL.Path)
		selector := request.URL.Query().Get("fieldSelector")
		switch {
		case request.Method != http.MethodGet:
		case name == "coursecompletions" && strings.Contains(selector, "spec.user.id="):
			select {
			case <-o.asked:
			default:
			}
			response, err := next.RoundTrip(request)
			select {
			case <-o.asked:
				o.tooSoon.Add(1)
			case <-time.After(time.Second):
			}
			o.looks.Add(1)
			return response, err
		case name == "grants" && strings.Contains(selector, "spec.holder.userID="), path.Base(directory) == "grants":
			signal(o.asked)
		}
		return next.RoundTrip(request)
	})
}

// A completion that was planned before it is read has its Grant written before: read the other way round, what is
// planned in between would be missed, and data deleted against it.
func TestWhatWasPlannedIsReadAfterTheCompletions(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	look := &orderly{asked: make(chan struct{}, 1)}
	w.wrap = look.wrap
	completion := MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	w.create(MakeInstitution(w).Obj(), MakeLab(w, "lab").Obj(), completion)
	w.start()
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.step(grant.Spec.AccessEndsAt.Sub(w.clock.Now()) + margin)
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	g := NewWithT(t)
	g.Expect(look.looks.Load()).NotTo(BeZero(), "completions are read before data is deleted")
	g.Expect(look.tooSoon.Load()).To(BeZero())
}
