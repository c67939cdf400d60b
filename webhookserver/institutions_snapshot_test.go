// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	toolscache "k8s.io/client-go/tools/cache"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// lister is an API that answers what it is told to.
type lister struct {
	client.Reader
	institutions []v1alpha1.Institution
	failure      error
	asked        int
}

func (l *lister) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	l.asked++
	list.(*v1alpha1.InstitutionList).Items = l.institutions
	return l.failure
}

// informed hands the store's handler to a test.
type informed struct {
	toolscache.ResourceEventHandler
}

func (i *informed) AddEventHandler(
	handler toolscache.ResourceEventHandler,
) (toolscache.ResourceEventHandlerRegistration, error) {
	i.ResourceEventHandler = handler
	return nil, nil
}

// snapshotWorld is an institutionStore with an inbox, at the time of its last snapshot.
type snapshotWorld struct {
	*institutionStore
	machine  *testingclock.FakeClock
	informer *informed
	cached   *lister
	api      *lister
	began    time.Time
	logged   string
}

func newSnapshotWorld(t *testing.T) *snapshotWorld {
	t.Helper()
	g := NewWithT(t)
	w := &snapshotWorld{began: time.Unix(1_700_000_000, 0).UTC(), informer: &informed{}, cached: &lister{}, api: &lister{}}
	w.machine = testingclock.NewFakeClock(w.began)
	kept, err := inbox.Open(filepath.Join(t.TempDir(), "inbox.db"), inbox.Options{MaxBytes: 1 << 20})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(kept.Close()).To(Succeed()) })
	w.institutionStore = &institutionStore{
		Reader: w.cached, live: w.api, clock: w.machine, inbox: kept, maxAge: 24 * time.Hour,
		synced: func() bool { return true }, away: func() bool { return false },
		log: funcr.New(func(_, line string) { w.logged += line }, funcr.Options{}),
	}
	g.Expect(w.load()).To(Succeed())
	g.Expect(w.observe(w.informer)).To(Succeed())
	w.cached.institutions = []v1alpha1.Institution{withToken("one", "1"), withToken("two", "1")}
	w.api.institutions = w.cached.institutions
	w.informer.OnAdd(&w.cached.institutions[0], true)
	w.informer.OnAdd(&w.cached.institutions[1], true)
	g.Expect(w.save(t.Context())).To(Succeed())
	g.Expect(w.taken(t)).To(Equal(w.began))
	g.Expect(w.api.asked).To(BeZero(), "the API has just told them")
	return w
}

// taken returns the time of the snapshot on the disk.
func (w *snapshotWorld) taken(t *testing.T) time.Time {
	t.Helper()
	loaded, err := w.inbox.LoadSnapshot()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return loaded.Taken
}

func withToken(name, version string) v1alpha1.Institution {
	institution := v1alpha1.Institution{}
	institution.Namespace, institution.Name, institution.ResourceVersion = "institution-"+name, name, version
	institution.Status.Tokens = []v1alpha1.TokenStatus{{State: v1alpha1.TokenAccepted, SHA256: "digest of " + name}}
	return institution
}

// A watch may be broken for days while nothing else is. What the cache has then must not pass for what the API says.
func TestAnUnchangedSnapshotIsConfirmedByTheAPI(t *testing.T) {
	for _, tc := range []struct {
		name    string
		api     func(*lister)
		want    bool
		wantLog string
	}{
		{"the same", func(*lister) {}, true, ""},
		{"the same in another order, with other versions", func(l *lister) {
			l.institutions = []v1alpha1.Institution{withToken("two", "9"), withToken("one", "8")}
		}, true, ""},
		{"forbidden, or away", func(l *lister) { l.failure = errors.New("no") }, false, "Could not confirm"},
		{"a token was taken back", func(l *lister) {
			l.institutions = []v1alpha1.Institution{withToken("one", "1"), withToken("two", "2")}
			l.institutions[1].Status.Tokens[0].State = v1alpha1.TokenState("Other")
		}, false, "has other institutions"},
		{"an institution is gone", func(l *lister) { l.institutions = l.institutions[:1] }, false, "has other institutions"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			w := newSnapshotWorld(t)
			tc.api(w.api)
			w.machine.Step(time.Hour)
			g.Expect(w.save(t.Context())).To(Succeed())
			g.Expect(w.api.asked).To(Equal(1))
			want := w.began
			if tc.want {
				want = w.machine.Now().UTC()
			}
			g.Expect(w.taken(t)).To(Equal(want))
			g.Expect(w.logged).To(ContainSubstring(tc.wantLog))
			if tc.want {
				g.Expect(w.save(t.Context())).To(Succeed())
				g.Expect(w.api.asked).To(Equal(1), "it has just been confirmed")
			}
		})
	}
}

// What changes comes from the API, when it comes, and not when the disk has room for it.
func TestAChangedSnapshotIsAsOldAsWhatTheAPISaid(t *testing.T) {
	g := NewWithT(t)
	w := newSnapshotWorld(t)
	w.api.failure = errors.New("away")
	w.machine.Step(time.Hour)
	w.cached.institutions = w.cached.institutions[:1]
	w.informer.OnDelete(&v1alpha1.Institution{})
	told := w.machine.Now().UTC()
	w.machine.Step(time.Hour)
	g.Expect(w.save(t.Context())).To(Succeed())
	g.Expect(w.taken(t)).To(Equal(told))

	// The cache hands out everything anew now and then.
	w.machine.Step(time.Hour)
	same := w.cached.institutions[0]
	w.informer.OnUpdate(&same, &same)
	g.Expect(w.lastEvent.Load()).To(Equal(told.UnixNano()))
}

// Deliveries are in the same file, so a snapshot that cannot be read must not keep the server from starting.
func TestASnapshotThatCannotBeReadIsNone(t *testing.T) {
	g := NewWithT(t)
	w := newSnapshotWorld(t)
	text := []byte(`{"spec":{"id":"the number of a later version"}}`)
	good, err := entriesOf(t.Context(), w.cached)
	g.Expect(err).NotTo(HaveOccurred())
	good["later"] = text
	g.Expect(w.inbox.SaveSnapshot(t.Context(), inbox.Snapshot{Taken: w.began, Entries: good})).To(Succeed())

	synced := false
	restarted := &institutionStore{
		Reader: w.cached, live: w.api, clock: w.machine, inbox: w.inbox, log: w.log, away: w.away,
		synced: func() bool { return synced },
	}
	g.Expect(restarted.load()).To(Succeed())
	restarted.snapshotInUse.Store(true)
	g.Expect(restarted.known()).To(BeFalse(), "nothing of it counts: whoever cannot be read would be refused")
	g.Expect(w.logged).To(And(ContainSubstring("from another version"), Not(ContainSubstring("the number of"))))

	synced = true
	g.Expect(restarted.known()).To(BeTrue())
	g.Expect(restarted.save(t.Context())).To(Succeed())
	replaced, err := w.inbox.LoadSnapshot()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(replaced.Entries).To(HaveLen(2))
}
