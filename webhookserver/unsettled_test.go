// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// An Institution that is replaced by force is away for a moment, and back before anybody has read its tokens: a good
// token is asked to try again meanwhile, and a wrong one is wrong as soon as it can be told.
func TestTokensOfAReplacedInstitution(t *testing.T) {
	t.Parallel()
	now := testingclock.NewFakeClock(time.Unix(1_700_000_000, 0))
	u := newUnsettled(now)
	institution := func(generation int64, digests ...string) *v1alpha1.Institution {
		made := &v1alpha1.Institution{}
		made.Namespace, made.Name, made.Spec.ID = "institution-7", "school", 7
		made.Status.ObservedGeneration = generation
		for _, digest := range digests {
			made.Status.Tokens = append(made.Status.Tokens, v1alpha1.TokenStatus{State: v1alpha1.TokenAccepted, SHA256: digest})
		}
		return made
	}
	for _, step := range []struct {
		name      string
		do        func()
		good      bool
		old       bool
		wrong     bool
		unknownID bool
	}{
		{"nothing is known", func() {}, false, false, false, false},
		{"it was made", func() { u.saw(institution(-1)) }, true, true, true, false},
		{"its tokens were read", func() { u.saw(institution(1, "old", "good")) }, false, false, false, false},
		{"one was rotated out", func() { u.saw(institution(2, "good")) }, false, false, false, false},
		{"it was deleted", func() { u.gone(institution(2, "good")) }, true, false, false, false},
		{"it is back", func() { u.saw(institution(-1)) }, true, true, true, false},
		{"its tokens are being read for long", func() { now.Step(time.Hour) }, true, true, true, false},
		{"they were read again", func() { u.saw(institution(1, "good")) }, false, false, false, false},
		{"it was deleted for good", func() { u.gone(institution(1, "good")) }, true, false, false, false},
		{"a minute later", func() { now.Step(replacePatience + time.Second) }, false, false, false, false},
	} {
		step.do()
		for _, ask := range []struct {
			who    string
			id     v1alpha1.PlatformID
			digest string
			want   bool
		}{{"good", 7, "good", step.good}, {"old", 7, "old", step.old}, {"wrong", 7, "wrong", step.wrong},
			{"another id", 8, "good", step.unknownID}} {
			if got := u.covers(ask.id, ask.digest); got != ask.want {
				t.Errorf("%s, %s token: covered %t, want %t", step.name, ask.who, got, ask.want)
			}
		}
	}
}
