// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

func TestWhatIsNotKnownOfTheInboxes(t *testing.T) {
	t.Parallel()
	for want, of := range map[string]inboxes{
		"":                                   {Replicas: 2, Answered: 2},
		"ClusterRole completion-inbox-admin": {Replicas: 2, Forbidden: true},
		"no webhook server answered in time": {Replicas: 2},
		"The inboxes are incomplete: only 1 of 2": {Replicas: 2, Answered: 1},
	} {
		text := of.String()
		if !strings.Contains(text, want) || (want == "") != (text == "") || strings.Contains(text, "\n") {
			t.Errorf("got %q, want %q", text, want)
		}
		if known := of.of("school") != nil; known != (of.Answered > 0) {
			t.Errorf("%q: known is %t", want, known)
		}
	}
}

func TestProblemsOfInboxes(t *testing.T) {
	t.Parallel()
	before := func(d time.Duration) *time.Time { return new(noon.Add(-d)) }
	known := &inboxes{Replicas: 1, Answered: 1, namespaces: map[string]replicas.Count{
		"held":  {DeadLetters: 3},
		"late":  {Records: 2, Oldest: before(time.Hour)},
		"fresh": {Records: 2, Oldest: before(time.Minute)},
	}}
	var p problems
	p.ofInboxes(known, "", noon)
	found := p.sorted()
	if len(found) != 2 || found[0].Namespace != "held" || found[0].Severity != failure ||
		found[0].Command != "kubectl course inbox list -n held --state dead" ||
		found[1].Namespace != "late" || found[1].Severity != warning ||
		found[1].Command != "kubectl course inbox list -n late --state waiting" {
		t.Errorf("got %+v", found)
	}
	p = problems{}
	p.ofInboxes(known, "fresh", noon)
	if found := p.sorted(); len(found) > 0 {
		t.Errorf("got %+v of another namespace", found)
	}
	for want, count := range map[string]replicas.Count{
		"nothing waits":          {},
		"0 wait, 1 dead letter":  {DeadLetters: 1},
		"0 wait, 3 dead letters": {DeadLetters: 3},
		"2 wait since 2026-10-01T11:00:00Z, 0 dead letters": {Records: 2, Oldest: before(time.Hour)},
	} {
		if got := kept(&count); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
