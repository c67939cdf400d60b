// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// listed are Institutions that the cache has.
type listed []v1alpha1.Institution

func (l listed) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	panic("the store lists")
}

func (l listed) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.InstitutionList).Items = l
	return nil
}

// A token may have been taken back while the API was away, so what was once known does not count for ever.
func TestASnapshotCountsByItsAge(t *testing.T) {
	g := NewWithT(t)
	machine := testingclock.NewFakeClock(time.Unix(1_700_000_000, 0))
	kept, err := inbox.Open(filepath.Join(t.TempDir(), "inbox.db"), inbox.Options{MaxBytes: 1 << 20})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(kept.Close()).To(Succeed()) })
	institution := v1alpha1.Institution{}
	institution.Namespace, institution.Name = "institution-12345", "institution"
	institution.Status.Tokens = []v1alpha1.TokenStatus{{State: v1alpha1.TokenAccepted, SHA256: "digest"}}
	away := false
	started := func(synced bool, maxAge time.Duration) *institutionStore {
		d := &institutionStore{
			Reader: listed{institution}, live: listed{institution}, log: logr.Discard(), clock: machine, inbox: kept,
			maxAge: maxAge, synced: func() bool { return synced }, away: func() bool { return away },
		}
		g.Expect(d.load()).To(Succeed())
		d.lastEvent.Store(machine.Now().UnixNano())
		d.snapshotInUse.Store(true)
		return d
	}
	running := started(true, 24*time.Hour)
	g.Expect(running.save(t.Context())).To(Succeed())
	machine.Step(23 * time.Hour)
	g.Expect(started(false, 24*time.Hour).known()).To(BeTrue())
	g.Expect(running.save(t.Context())).To(Succeed(), "nothing has changed, but it is confirmed")
	machine.Step(23 * time.Hour)
	waiting := started(false, 24*time.Hour)
	g.Expect(waiting.known()).To(BeTrue(), "it was confirmed 23 hours ago")

	away = true
	g.Expect(running.save(t.Context())).To(Succeed())
	machine.Step(2 * time.Hour)
	g.Expect(waiting.known()).To(BeFalse(), "it gets too old while the server runs")
	g.Expect(started(false, 24*time.Hour).known()).To(BeFalse(), "nobody has confirmed it while the API was away")
	g.Expect(started(false, 0).known()).To(BeTrue(), "any age")
	g.Expect(running.known()).To(BeTrue(), "the API has told")
}
