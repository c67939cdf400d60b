// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox/boltfile"
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
	appended, requeued := false, false
	if err == nil {
		for _, r := range batch {
			appended = appended || r.err == nil && r.what == opPut
			requeued = requeued || r.err == nil && r.what == opRetry
		}
	}
	if appended || requeued {
		i.changes.Add(1)
	}
	for _, r := range batch {
		if err == nil {
			r.done <- r.err
		} else {
			r.done <- err
		}
	}
	if appended {
		signal(i.appended)
	}
	if requeued {
		signal(i.requeued)
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
		i.changes.Add(1)
		signal(i.requeued)
	}
	err := boltfile.Guard(func() error {
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
		err = boltfile.Guard(func() error { return i.db.View(func(tx *bbolt.Tx) error { return i.publish(tx, nil) }) })
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
		if err := boltfile.Guard(db.Close); err != nil {
			return err
		}
	}
	return boltfile.Guard(func() error { return i.open(true) })
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
		grown: make(map[string]int64), moved: make(map[string]Count),
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
		i.counting.Lock()
		defer i.counting.Unlock()
		i.counted = b.counted
		i.counted.shares, i.counted.counts = b.shares(), b.counts()
		i.counted.count(oldest)
		i.removed = i.removed || b.removes
	})
	return nil
}

func isForCaller(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrShare) || errors.Is(err, ErrNoRecord)
}
