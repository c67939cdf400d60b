// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
)

const (
	// snapshotDelay is how long changes of Institutions gather before they are saved, and snapshotInterval how long it is
	// between two times that they are saved.
	snapshotDelay    = 50 * time.Millisecond
	snapshotInterval = 2 * time.Second
	// snapshotRefresh is how often one that has not changed is saved again, since it counts by its age.
	snapshotRefresh = 10 * time.Minute
	// confirmTimeout bounds how long the API may take to confirm one.
	confirmTimeout = 10 * time.Second
)

// institutionStore knows the Institutions: from the API, and as long as it has not told them, from the snapshot of the
// last time that it had.
type institutionStore struct {
	client.Reader
	// live asks the API itself. What the other one has may be old: a watch can be broken, or no longer be allowed.
	live   client.Reader
	log    logr.Logger
	clock  clock.WithTicker
	synced func() bool
	inbox  *inbox.Inbox
	// startupTimeout is how long after the start the API may take before the snapshot counts.
	startupTimeout time.Duration
	// maxAge is how old the snapshot may be that counts; 0 is any age.
	maxAge time.Duration
	// away tells that the API does not answer, so that what is known is not confirmed either.
	away func() bool

	// unsettled follows the informer too.
	unsettled *unsettled

	snapshot map[string][]*v1alpha1.Institution
	// loaded is when that was taken, and taken the same of the one in the inbox, in nanoseconds since 1970; 0 without any.
	loaded time.Time
	taken  atomic.Int64
	// lastEvent is when the API last told a change, in nanoseconds since 1970; 0 where it has not.
	lastEvent     atomic.Int64
	snapshotInUse atomic.Bool
	// changed has something in it after an Institution has changed.
	changed chan struct{}
	// saved is the digest of what was saved last.
	saved [sha256.Size]byte
}

// load reads the snapshot. One that this version cannot read, as after going back to it from a later one, is none: the
// API has all that is in it, and the file has deliveries that nobody else has.
func (d *institutionStore) load() error {
	d.changed = make(chan struct{}, 1)
	d.snapshot = make(map[string][]*v1alpha1.Institution)
	loaded, err := d.inbox.LoadSnapshot()
	if err != nil || loaded == nil {
		return err
	}
	snapshot, readable := institutionsIn(loaded.Entries)
	if !readable {
		d.log.Info("Snapshot of institutions is from another version, waiting for the API",
			"institutions", len(loaded.Entries), "taken", loaded.Taken)
		return nil
	}
	d.snapshot = snapshot
	d.saved, d.loaded = digestOf(loaded.Entries), loaded.Taken
	d.taken.Store(loaded.Taken.UnixNano())
	return nil
}

// institutionsIn returns the Institutions of a snapshot by the digests of their tokens, or that not all can be read:
// without those that cannot, their tokens would be taken for wrong ones.
func institutionsIn(entries map[string][]byte) (byDigest map[string][]*v1alpha1.Institution, readable bool) {
	byDigest = make(map[string][]*v1alpha1.Institution)
	for _, text := range entries {
		institution := &v1alpha1.Institution{}
		// The error may quote what is in it.
		if json.Unmarshal(text, institution) != nil {
			return nil, false
		}
		for _, digest := range acceptedDigests(institution) {
			byDigest[digest] = append(byDigest[digest], institution)
		}
	}
	return byDigest, true
}

// known tells whether deliveries can be authenticated.
func (d *institutionStore) known() bool {
	return d.synced() || d.snapshotInUse.Load() && len(d.snapshot) > 0 && d.fresh()
}

// fresh tells whether the snapshot may still count: a token may have been taken back since.
func (d *institutionStore) fresh() bool { return d.maxAge == 0 || d.clock.Since(d.loaded) <= d.maxAge }

// refresh is how old a snapshot gets before the same is saved again.
func (d *institutionStore) refresh() time.Duration {
	if d.maxAge == 0 {
		return snapshotRefresh
	}
	return max(snapshotInterval, min(snapshotRefresh, d.maxAge/4))
}

// List finds Institutions by the digest of a token. They are shared: nobody may change them.
func (d *institutionStore) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if d.synced() {
		return d.Reader.List(ctx, list, options...)
	}
	var o client.ListOptions
	o.ApplyOptions(options)
	found, ok := list.(*v1alpha1.InstitutionList)
	if !ok || o.FieldSelector == nil {
		return fmt.Errorf("the snapshot serves only Institutions by digest, not %T", list)
	}
	digest, ok := o.FieldSelector.RequiresExactMatch(indexAcceptedDigest)
	if !ok {
		return errors.New("the snapshot serves only Institutions by digest")
	}
	for _, institution := range d.snapshot[digest] {
		found.Items = append(found.Items, *institution)
	}
	return nil
}

// observe has the snapshot follow an informer.
func (d *institutionStore) observe(informer interface {
	AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error)
}) error {
	changed := func() {
		d.lastEvent.Store(d.clock.Now().UnixNano())
		d.touch()
	}
	saw := func(object any) {
		if institution, ok := object.(*v1alpha1.Institution); ok {
			d.unsettled.saw(institution)
		}
	}
	d.unsettled = newUnsettled(d.clock)
	_, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			saw(object)
			changed()
		},
		UpdateFunc: func(before, after any) {
			saw(after)
			// The cache now and then tells what it has once more, which the API has nothing to do with.
			if versionOf(before) != versionOf(after) {
				changed()
			}
		},
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			if institution, ok := object.(*v1alpha1.Institution); ok {
				d.unsettled.gone(institution)
			}
			changed()
		},
	})
	if err != nil {
		return fmt.Errorf("watching the institutions: %w", err)
	}
	return nil
}

func versionOf(object any) string {
	institution, ok := object.(*v1alpha1.Institution)
	if !ok {
		return ""
	}
	return institution.ResourceVersion
}

// touch has a snapshot saved soon.
func (d *institutionStore) touch() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run falls back on the snapshot where the API does not come in time, and saves one when Institutions have changed.
func (d *institutionStore) run(ctx context.Context) {
	timeout := d.clock.NewTimer(d.startupTimeout)
	defer timeout.Stop()
	// What is new is saved soon, and what keeps changing not all the time.
	due := d.clock.NewTimer(snapshotDelay)
	defer due.Stop()
	refresh := d.clock.NewTicker(d.refresh())
	defer refresh.Stop()
	armed, lastSaved := true, time.Time{}
	for {
		select {
		case <-timeout.C():
			d.snapshotInUse.Store(true)
			if !d.synced() {
				d.log.Info("Institutions not loaded from the API in time", "tokensInSnapshot", len(d.snapshot), "taken", d.loaded,
					"tooOld", !d.fresh())
			}
		case <-refresh.C():
			if !d.away() {
				d.touch()
			}
		case <-d.changed:
			if !armed {
				armed = true
				due.Reset(max(snapshotDelay, snapshotInterval-d.clock.Since(lastSaved)))
			}
		case <-due.C():
			if !d.synced() {
				due.Reset(snapshotDelay)
				continue
			}
			lastSaved = d.clock.Now()
			armed = !d.saveNow(ctx)
			if armed {
				due.Reset(snapshotInterval)
			}
		case <-ctx.Done():
			return
		}
	}
}

// saveNow reports whether that need not be tried again.
func (d *institutionStore) saveNow(ctx context.Context) bool {
	if err := d.save(ctx); err != nil && ctx.Err() == nil {
		d.log.Error(err, "Could not save snapshot of institutions")
		return false
	}
	return true
}

// save writes a snapshot, if it differs from the last one, or if that has become old and the API still says the same. A
// snapshot is as old as what the API last said of it.
func (d *institutionStore) save(ctx context.Context) error {
	entries, err := entriesOf(ctx, d.Reader)
	if err != nil {
		return err
	}
	digest, now, taken := digestOf(entries), d.clock.Now(), time.Unix(0, d.lastEvent.Load())
	if digest == d.saved && d.inbox.Stats().Snapshot || d.lastEvent.Load() == 0 {
		recent := now.Sub(time.Unix(0, d.taken.Load())) < d.refresh()/2
		if recent || d.away() || !d.confirmed(ctx, digest) {
			return nil
		}
		taken = now
	}
	ctx, cancel := context.WithTimeout(ctx, store.DiskTimeout)
	defer cancel()
	if err := d.inbox.SaveSnapshot(ctx, inbox.Snapshot{Taken: taken, Entries: entries}); err != nil {
		return err
	}
	d.saved = digest
	d.taken.Store(taken.UnixNano())
	d.log.V(1).Info("Saved snapshot of institutions", "institutions", len(entries), "taken", taken)
	return nil
}

// confirmed asks the API whether the Institutions are still those with the digest.
func (d *institutionStore) confirmed(ctx context.Context, digest [sha256.Size]byte) bool {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	entries, err := entriesOf(ctx, d.live)
	if err != nil {
		d.log.Info("Could not confirm snapshot of institutions", "reason", store.ReasonOf(err))
		return false
	}
	if digestOf(entries) != digest {
		// One that has just changed is told, and saved, in a moment.
		d.log.Info("API has other institutions than the cache; if this repeats, their watch is broken",
			"institutions", len(entries))
		return false
	}
	return true
}

// entriesOf returns the entries of a snapshot.
func entriesOf(ctx context.Context, reader client.Reader) (map[string][]byte, error) {
	var list v1alpha1.InstitutionList
	if err := reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	entries := make(map[string][]byte, len(list.Items))
	for i := range list.Items {
		text, err := json.Marshal(snapshotOf(&list.Items[i]))
		if err != nil {
			return nil, err
		}
		entries[client.ObjectKeyFromObject(&list.Items[i]).String()] = text
	}
	return entries, nil
}

// snapshotOf is what of an Institution is needed to take its deliveries.
func snapshotOf(institution *v1alpha1.Institution) *v1alpha1.Institution {
	kept := &v1alpha1.Institution{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: institution.Namespace, Name: institution.Name, UID: institution.UID,
		},
		Spec: institution.Spec,
	}
	for _, token := range institution.Status.Tokens {
		if token.State == v1alpha1.TokenAccepted {
			kept.Status.Tokens = append(kept.Status.Tokens, token)
		}
	}
	return kept
}

func digestOf(entries map[string][]byte) [sha256.Size]byte {
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		fmt.Fprintf(sum, "%d %s %d ", len(key), key, len(entries[key]))
		sum.Write(entries[key])
	}
	return [sha256.Size]byte(sum.Sum(nil))
}
