/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Bounds of what is written at once.
const (
	maxBatch      = 1024
	maxBatchBytes = 8 << 20
)

// gatherTime is how long a commit waits for those that were in the last one, in all likelihood about to come again. It
// is about as long as the disk takes, which serves many instead of one.
const gatherTime = time.Millisecond

// Bounds of the wait between two attempts to write after one that failed.
const (
	minPause = 250 * time.Millisecond
	maxPause = 10 * time.Second
)

// operation is what a request asks for.
type operation int

const (
	opPut operation = iota
	opHold
	opRemove
	opBury
	opRetry
	opDrop
	opSnapshot
)

// request is one change of the file.
type request struct {
	what operation
	// ids are the records that it is about. Those that a person names have no namespace yet.
	ids      []ID
	value    []byte
	snapshot *Snapshot
	// err is what came of it in the transaction.
	err  error
	done chan error
}

// ask hands a request to the writer and waits until it is on the disk.
func (i *Inbox) ask(ctx context.Context, r *request) error {
	r.done = make(chan error, 1)
	if err := i.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the disk: %w", ctx.Err())
	}
}

func (i *Inbox) enqueue(ctx context.Context, r *request) error {
	i.closing.RLock()
	defer i.closing.RUnlock()
	if i.closed {
		return ErrClosed
	}
	select {
	case i.requests <- r:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the disk: %w", ctx.Err())
	}
}

// write is the only goroutine that changes the file. It takes all requests that are there and commits them at once:
// while it waits for the disk, the next ones gather.
func (i *Inbox) write() {
	defer close(i.written)
	probe := i.options.Clock.NewTicker(minPause)
	defer probe.Stop()
	batch := make([]*request, 0, maxBatch)
	for {
		var ticks <-chan time.Time
		failing := i.stats.Load().Failure != nil
		if failing || i.mayCompact() {
			ticks = probe.C()
		}
		select {
		case first, more := <-i.requests:
			if !more {
				return
			}
			batch = i.gather(append(batch[:0], first))
			i.commit(batch)
			i.lastBatch = i.options.Clock.Now()
		case <-ticks:
			if failing {
				// Nobody may come as long as it fails, so it finds out by itself when that is over.
				i.commit(nil)
			} else {
				i.compactWhenQuiet()
			}
		}
		clear(batch)
	}
}

// gather takes what is there, and waits a moment for as many as there were lately.
func (i *Inbox) gather(batch []*request) []*request {
	var late <-chan time.Time
	bytes := len(batch[0].value)
	for len(batch) < maxBatch && bytes < maxBatchBytes {
		var r *request
		more := true
		select {
		case r, more = <-i.requests:
		default:
			if len(batch) >= i.expected {
				i.expected = len(batch)
				return batch
			}
			if late == nil {
				late = time.After(gatherTime)
			}
			select {
			case r, more = <-i.requests:
			case <-late:
				// Fewer come now. A single one that is late does not make a crowd wait in halves.
				i.expected = max(len(batch), i.expected*7/8)
				return batch
			}
		}
		if !more {
			return batch
		}
		batch = append(batch, r)
		bytes += len(r.value)
	}
	return batch
}

// commit writes a batch, and tells everybody in it what came of it.
func (i *Inbox) commit(batch []*request) {
	i.began.Store(int64(i.options.Clock.Since(i.opened)) | 1)
	err := i.tryCommit(batch)
	i.began.Store(0)
	arrived, returned := false, false
	if err == nil {
		for _, r := range batch {
			arrived = arrived || r.err == nil && r.what == opPut
			returned = returned || r.err == nil && r.what == opRetry
		}
	}
	if arrived {
		i.arrived.Add(1)
	}
	if returned {
		i.returned.Add(1)
	}
	for _, r := range batch {
		if err == nil {
			r.done <- r.err
		} else {
			r.done <- err
		}
	}
	if arrived {
		signal(i.arrivals)
	}
	if returned {
		signal(i.behind)
	}
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func (i *Inbox) tryCommit(batch []*request) error {
	if failure := i.stats.Load().Failure; failure != nil {
		if errors.Is(failure, ErrCorrupt) || i.options.Clock.Now().Before(i.retryAt) {
			return failure
		}
		if err := i.reopen(); err != nil {
			return i.failed(err)
		}
		// What was not known to be kept may be.
		i.returned.Add(1)
		signal(i.behind)
	}
	err := guarded(func() error {
		return i.db.Update(func(tx *bbolt.Tx) error {
			if err := i.applyAll(tx, batch); err != nil {
				return err
			}
			if len(batch) > 0 {
				return nil
			}
			return tx.Bucket(bucketMeta).Put(keyProbe, nil)
		})
	})
	if err == nil {
		err = guarded(func() error { return i.db.View(func(tx *bbolt.Tx) error { return i.publish(tx, nil) }) })
	}
	if err != nil {
		return i.failed(err)
	}
	i.pause = 0
	return nil
}

// failed notes a failure and when to try again.
func (i *Inbox) failed(err error) error {
	i.pause = min(max(2*i.pause, minPause), maxPause)
	i.retryAt = i.options.Clock.Now().Add(i.pause)
	err = fmt.Errorf("writing the inbox: %w", err)
	stats := *i.stats.Load()
	stats.Failure = err
	i.stats.Store(&stats)
	return err
}

// reopen opens the file anew after a failure, since what is in memory may not be what is on the disk.
func (i *Inbox) reopen() error {
	i.opening.Lock()
	defer i.opening.Unlock()
	if i.db != nil {
		db := i.db
		i.db = nil
		if err := guarded(db.Close); err != nil {
			return err
		}
	}
	return guarded(func() error { return i.open(true) })
}

// publish makes the statistics anew.
func (i *Inbox) publish(tx *bbolt.Tx, failure error) error {
	var oldest time.Time
	for _, received := range i.counted.oldest {
		if oldest.IsZero() || received.Before(oldest) {
			oldest = received
		}
	}
	i.stats.Store(&Stats{
		Records: i.counted.records, DeadLetters: i.counted.dead,
		Bytes: i.used(tx), MaxBytes: i.options.MaxBytes,
		Oldest: oldest, Snapshot: i.counted.snapshot, Failure: failure,
	})
	return nil
}

// used returns how many bytes of the file are in use.
func (i *Inbox) used(tx *bbolt.Tx) int64 {
	stats := i.db.Stats()
	return tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(i.db.Info().PageSize)
}

// applyAll makes the changes of a batch. What is wrong with one request concerns nobody else; its error is for the
// disk's.
func (i *Inbox) applyAll(tx *bbolt.Tx, batch []*request) error {
	b := &change{
		tx: tx, queue: tx.Bucket(bucketQueue), dead: tx.Bucket(bucketDead), counted: i.counted,
		grown: make(map[string]int64),
	}
	// Records are appended, so that a page can be filled up before the next one is begun.
	b.queue.FillPercent, b.dead.FillPercent = 1, 1
	b.free = i.options.MaxBytes - i.used(tx)
	// Numbers are never given twice, also after the newest records have been removed.
	if b.queue.Sequence() < b.counted.lastSeq {
		if err := b.queue.SetSequence(b.counted.lastSeq); err != nil {
			return err
		}
	}
	for _, r := range batch {
		err := b.apply(r)
		if isForCaller(err) {
			r.err = err
		} else if err != nil {
			return err
		}
	}
	oldest, err := b.oldest()
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		i.counted = b.counted
		i.counted.shares = b.shares()
		i.counted.count(oldest)
		i.removed = i.removed || b.removes
	})
	return nil
}

func isForCaller(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrShare) || errors.Is(err, ErrNoRecord)
}

// change is one transaction.
type change struct {
	tx          *bbolt.Tx
	queue, dead *bbolt.Bucket
	counted     state
	// free is how many bytes may still be added.
	free int64
	// grown is how many bytes each namespace gets by this transaction.
	grown map[string]int64
	// removes tells that something was taken out of the file.
	removes bool
}

func (b *change) apply(r *request) error {
	switch r.what {
	case opPut, opHold:
		return b.add(r)
	case opRemove:
		return b.remove(r.ids)
	case opBury:
		return b.bury(r)
	case opRetry:
		return b.retry(r.ids)
	case opDrop:
		return b.drop(r.ids)
	case opSnapshot:
		b.counted.snapshot = true
		return r.snapshot.write(b.tx)
	default:
		return fmt.Errorf("unknown operation %d", r.what)
	}
}

// add appends a record to those that wait or to the dead letters.
func (b *change) add(r *request) error {
	size := sizeOf(r.value)
	h, err := decodeHead(r.value)
	if err != nil {
		return err
	}
	namespace := string(h.texts[1])
	switch has := b.counted.shares[namespace] + b.grown[namespace]; {
	case b.free < size:
		return ErrFull
	case has > 0 && has+size > b.free-size:
		// So one namespace alone gets half of the inbox, two that want all get a third each, and there is always room for
		// one that has nothing.
		return ErrShare
	}
	b.free -= size
	seq, err := b.queue.NextSequence()
	if err != nil {
		return err
	}
	id := ID{Namespace: namespace, Seq: seq}
	r.ids = []ID{id}
	b.grown[namespace] += size
	b.counted.lastSeq = seq
	if r.what == opHold {
		b.counted.dead++
		return b.dead.Put(id.key(), r.value)
	}
	b.counted.records++
	return b.queue.Put(id.key(), r.value)
}

func (b *change) remove(ids []ID) error {
	for _, id := range ids {
		k := id.key()
		value := b.queue.Get(k)
		if value == nil {
			continue
		}
		if err := b.shrink(value); err != nil {
			return err
		}
		if err := b.queue.Delete(k); err != nil {
			return err
		}
		b.counted.records--
	}
	return nil
}

func (b *change) bury(r *request) error {
	k := r.ids[0].key()
	value := b.queue.Get(k)
	if value == nil {
		return ErrNoRecord
	}
	if err := b.shrink(value); err != nil {
		return err
	}
	h, err := decodeHead(r.value)
	if err != nil {
		return err
	}
	b.grown[string(h.texts[1])] += sizeOf(r.value)
	if err := errors.Join(b.queue.Delete(k), b.dead.Put(k, r.value)); err != nil {
		return err
	}
	b.counted.records--
	b.counted.dead++
	return nil
}

// find returns the key of a record in one of the buckets, nil where none has it.
func (b *change) find(seq uint64, buckets ...*bbolt.Bucket) []byte {
	for _, namespaces := range []map[string]int64{b.counted.shares, b.grown} {
		for namespace := range namespaces {
			k := ID{Namespace: namespace, Seq: seq}.key()
			for _, bucket := range buckets {
				if bucket.Get(k) != nil {
					return k
				}
			}
		}
	}
	return nil
}

func (b *change) retry(ids []ID) error {
	keys := make([][]byte, len(ids))
	for n, id := range ids {
		if keys[n] = b.find(id.Seq, b.dead); keys[n] == nil {
			return fmt.Errorf("%w among the dead letters: %d", ErrNoRecord, id.Seq)
		}
	}
	for _, k := range keys {
		value := b.dead.Get(k)
		if value == nil {
			// Named twice.
			continue
		}
		if err := b.touch(value); err != nil {
			return err
		}
		if err := errors.Join(b.queue.Put(k, append([]byte(nil), value...)), b.dead.Delete(k)); err != nil {
			return err
		}
		b.counted.dead--
		b.counted.records++
	}
	return nil
}

func (b *change) drop(ids []ID) error {
	keys := make([][]byte, len(ids))
	for n, id := range ids {
		if keys[n] = b.find(id.Seq, b.queue, b.dead); keys[n] == nil {
			return fmt.Errorf("%w: %d", ErrNoRecord, id.Seq)
		}
	}
	for _, k := range keys {
		if value := b.dead.Get(k); value != nil {
			if err := b.shrink(value); err != nil {
				return err
			}
			if err := b.dead.Delete(k); err != nil {
				return err
			}
			b.counted.dead--
			continue
		}
		if err := b.remove([]ID{idOf(k)}); err != nil {
			return err
		}
	}
	return nil
}

// shrink counts that a record goes.
func (b *change) shrink(value []byte) error {
	h, err := decodeHead(value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	b.grown[string(h.texts[1])] -= sizeOf(value)
	b.removes = true
	return nil
}

// touch notes that the records of a namespace have changed.
func (b *change) touch(value []byte) error {
	h, err := decodeHead(value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	b.grown[string(h.texts[1])] += 0
	b.removes = true
	return nil
}

// oldest returns when the first waiting record of each namespace came that this transaction changes, zero where none
// waits.
func (b *change) oldest() (map[string]time.Time, error) {
	found := make(map[string]time.Time, len(b.grown))
	cursor := b.queue.Cursor()
	for namespace := range b.grown {
		k, value := cursor.Seek(ID{Namespace: namespace}.key())
		if k == nil || idOf(k).Namespace != namespace {
			found[namespace] = time.Time{}
			continue
		}
		h, err := decodeHead(value)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		found[namespace] = h.received
	}
	return found, nil
}

// shares returns what the namespaces have after the transaction.
func (b *change) shares() map[string]int64 {
	after := b.counted.shares
	if after == nil {
		after = make(map[string]int64)
	}
	for namespace, by := range b.grown {
		if after[namespace] += by; after[namespace] <= 0 {
			delete(after, namespace)
		}
	}
	return after
}

// sizeOf returns how many bytes of the file a record takes: its part of a page that holds as many of its size as fit.
// bbolt puts two records at least into a page, which then has as many pages behind it as that needs.
func sizeOf(value []byte) int64 {
	const page, header = 4 << 10, pageHeaderBytes
	h, err := decodeHead(value)
	if err != nil {
		return int64(len(value))
	}
	needs := int64(elementBytes + len(h.texts[1]) + 1 + 8 + len(value))
	if fit := (page - header) / needs; fit >= 2 {
		return (page + fit - 1) / fit
	}
	pages := (header + 2*needs + page - 1) / page
	return pages * page / 2
}
