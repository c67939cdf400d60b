// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inbox keeps deliveries on the disk until the API takes them. It knows bytes and records, and nothing of
// Kubernetes. Everything that it has said to have kept survives the end of the process at any instant.
package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox/boltfile"
)

var (
	// ErrFull says that the inbox has reached its bound.
	ErrFull = errors.New("the inbox is full")
	// ErrShare says that the records of one namespace take as much of the inbox as they may: as much as they leave free
	// to all others.
	ErrShare = errors.New("the inbox is full for this namespace")
	// ErrClosed says that the inbox has been closed.
	ErrClosed = errors.New("the inbox is closed")
	// ErrHung says that the disk has not answered for so long that nobody should count on it.
	ErrHung = errors.New("the disk did not respond in time")
	// ErrNoRecord says that there is no such record, or that it is not where it would have to be.
	ErrNoRecord = errors.New("no such record")
)

// Options of an Inbox.
type Options struct {
	// MaxBytes bounds what the records and everything else may take in the file, in bytes. Required.
	MaxBytes int64
	// LockTimeout is how long to wait for another process that has the file open. Zero: not at all.
	LockTimeout time.Duration
	// MustExist refuses to make a new file.
	MustExist bool
	// Clock says when to try again to write after a failure. Nil: the real one.
	Clock clock.WithTicker
}

// Stats is what an inbox has.
type Stats struct {
	// Records wait to be stored, DeadLetters for a person.
	Records, DeadLetters int
	// Bytes is what everything takes in the file, as far as it is in use.
	Bytes, MaxBytes int64
	// Oldest is when the oldest of the waiting records was received; zero without any.
	Oldest time.Time
	// Snapshot tells whether there is a snapshot of the Institutions.
	Snapshot bool
	// Failure is why the last attempt to write failed, or that it takes suspiciously long; nil where neither is so.
	Failure error
}

// Count is how much one namespace has in an inbox.
type Count struct {
	// Records wait to be stored, DeadLetters for a person.
	Records, DeadLetters int
	// Oldest is when the oldest of the waiting records was received; zero without any.
	Oldest time.Time
}

// Full tells whether there is no room for more records.
func (s Stats) Full() bool {
	// What is in use is counted in pages.
	const page = 4 << 10
	return s.Bytes+page > s.MaxBytes
}

// hangTime is how long a commit may take before the disk is taken to have failed.
const hangTime = 5 * time.Second

// Inbox is an open inbox. Its methods are safe for use by several goroutines.
type Inbox struct {
	path    string
	options Options
	stats   atomic.Pointer[Stats]
	// began is when the commit that is under way began, in nanoseconds after opened; 0 while there is none.
	began  atomic.Int64
	opened time.Time
	// appended has something in it after a record has come, requeued after one may have come before others.
	appended, requeued chan struct{}
	// changes counts both.
	changes atomic.Uint64

	// closing guards closed, and the sending to requests against the closing of it.
	closing  sync.RWMutex
	closed   bool
	requests chan *request
	written  chan struct{}

	// opening guards db against being opened again while somebody reads.
	opening sync.RWMutex
	db      *bbolt.DB

	// counting guards what is counted against being read by others than the writer while that changes it.
	counting sync.Mutex

	// What follows belongs to the writer.
	counted contents
	// expected is how many requests a commit lately had.
	expected int
	retryAt  time.Time
	pause    time.Duration
	// removed tells that free pages of the file may still have what was removed from the inbox.
	removed bool
	// lastBatch is when the last change was written, compacted when the file was written anew.
	lastBatch, compacted time.Time
}

// Open opens the inbox at a path, whose folder must exist, and makes it if there is none. A file that is damaged
// (ErrCorrupt), something else (ErrForeign), of a later version (ErrNewer) or in use (ErrLocked) is refused and left
// as it is. Opening reads the whole file.
func Open(path string, options Options) (*Inbox, error) {
	if options.MaxBytes <= 0 {
		return nil, errors.New("the inbox needs a maximum size")
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) && !options.MustExist {
		err = create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the inbox %s: %w", path, err)
	}
	i := &Inbox{
		path: path, options: options, opened: options.Clock.Now(),
		appended: make(chan struct{}, 1),
		requeued: make(chan struct{}, 1),
		requests: make(chan *request, maxBatch),
		written:  make(chan struct{}),
	}
	if err := i.open(false); err != nil {
		return nil, fmt.Errorf("opening the inbox %s: %w", path, advise(err))
	}
	// What an earlier process removed may still be in the file, or in one that it was writing anew.
	i.removed = true
	if err := removeCompacting(path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the inbox %s: %w", path, err), i.db.Close())
	}
	if err := i.view(func(tx *bbolt.Tx) error { return i.publish(tx, nil) }); err != nil {
		return nil, errors.Join(err, i.db.Close())
	}
	go i.write()
	return i, nil
}

// advise says what to do about a file that is refused. Wrong advice loses deliveries: whoever moves a file away that is
// only in use has a server that goes on writing to what nobody reads any more.
func advise(err error) error {
	switch {
	case errors.Is(err, ErrLocked):
		return fmt.Errorf("%w: do not move the file; in the pod of the running server, use webhook-server inbox without "+
			"--file", err)
	case errors.Is(err, ErrNewer):
		return fmt.Errorf("%w: start the newer version again; the file was not changed", err)
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrForeign):
		return fmt.Errorf("%w; it was not changed and may contain acknowledged deliveries: keep it, and run webhook-server "+
			"inbox set-aside to start without it (see docs/inbox.md, A damaged inbox)", err)
	}
	return err
}

// open opens the file and counts what it has.
func (i *Inbox) open(again bool) error {
	db, found, err := i.openAt(i.path, again)
	if err != nil {
		return err
	}
	i.db = db
	i.recount(found)
	return nil
}

func (i *Inbox) openAt(path string, again bool) (*bbolt.DB, contents, error) {
	var found contents
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{
		OpenFile: func(path string, _ int, _ os.FileMode) (*os.File, error) {
			return openFile(path, i.options.LockTimeout, again, &found)
		},
		// The free pages are found by looking at all others when the file is opened: one page less for each commit.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		// Never mapped anew, which would have to wait for every reader.
		InitialMmapSize: int(i.options.MaxBytes) + mapBeyond,
	})
	if err != nil {
		return nil, found, err
	}
	db.AllocSize = allocBytes
	return db, found, nil
}

// view reads in a transaction. It must be short: pages that become free meanwhile are not used again.
func (i *Inbox) view(read func(*bbolt.Tx) error) error {
	i.opening.RLock()
	defer i.opening.RUnlock()
	if i.db == nil {
		return cmp.Or(i.stats.Load().Failure, ErrClosed)
	}
	return boltfile.Guard(func() error { return i.db.View(read) })
}

// Stats returns what the inbox has.
func (i *Inbox) Stats() Stats {
	stats := *i.stats.Load()
	if err := i.hung(); err != nil {
		stats.Failure = err
	}
	return stats
}

// Namespaces returns what each namespace has that has anything.
func (i *Inbox) Namespaces() map[string]Count {
	i.counting.Lock()
	defer i.counting.Unlock()
	found := make(map[string]Count, len(i.counted.counts))
	for namespace, count := range i.counted.counts {
		count.Oldest = i.counted.oldest[namespace]
		found[namespace] = count
	}
	return found
}

// recount replaces what is counted.
func (i *Inbox) recount(found contents) {
	i.counting.Lock()
	defer i.counting.Unlock()
	i.counted = found
}

// hung is an error while the disk does not answer.
func (i *Inbox) hung() error {
	began := i.began.Load()
	if began == 0 {
		return nil
	}
	if took := i.options.Clock.Since(i.opened) - time.Duration(began); took >= hangTime {
		return fmt.Errorf("writing the inbox: %w for %s", ErrHung, took.Round(time.Second))
	}
	return nil
}

// Appended has a value in it after records have come. They are after all others.
func (i *Inbox) Appended() <-chan struct{} { return i.appended }

// Requeued has a value in it after records may have come that are before others: dead letters which were moved back, or
// what was found in the file when it was opened again after a failure.
func (i *Inbox) Requeued() <-chan struct{} { return i.requeued }

// Changes counts how often either was the case, from before whoever asked for it knows that it was done.
func (i *Inbox) Changes() uint64 { return i.changes.Load() }

// Put keeps a record until it is removed. It returns once the record is on the disk, and gives the record its number.
// After any error the record is not known to be kept; it may be.
func (i *Inbox) Put(ctx context.Context, record *Record) error {
	return i.add(ctx, opPut, record)
}

// Hold keeps a record among the dead letters, where it stays until somebody decides about it.
func (i *Inbox) Hold(ctx context.Context, record *Record) error {
	return i.add(ctx, opHold, record)
}

func (i *Inbox) add(ctx context.Context, what operation, record *Record) error {
	value, err := record.encode()
	if err != nil {
		return fmt.Errorf("keeping a record: %w", err)
	}
	added := &request{what: what, value: value}
	if err := i.ask(ctx, added); err != nil {
		return err
	}
	record.Seq = added.ids[0].Seq
	return nil
}

// Remove removes waiting records, whatever of them is there.
func (i *Inbox) Remove(ctx context.Context, records ...ID) error {
	return i.ask(ctx, &request{what: opRemove, ids: records})
}

// Bury moves a waiting record to the dead letters, with the reason and the attempts that it has now.
func (i *Inbox) Bury(ctx context.Context, record *Record) error {
	value, err := record.encode()
	if err != nil {
		return fmt.Errorf("keeping a dead letter: %w", err)
	}
	return i.ask(ctx, &request{what: opBury, ids: []ID{record.ID()}, value: value})
}

// Retry moves dead letters back to their place among those that wait. It is ErrNoRecord, and nothing is moved, where
// one is no dead letter.
func (i *Inbox) Retry(ctx context.Context, seqs ...uint64) error {
	return i.ask(ctx, &request{what: opRetry, ids: named(seqs)})
}

// Drop removes records for good, waiting ones and dead letters. It is ErrNoRecord, and nothing is removed, where one
// is not there.
func (i *Inbox) Drop(ctx context.Context, seqs ...uint64) error {
	return i.ask(ctx, &request{what: opDrop, ids: named(seqs)})
}

func named(seqs []uint64) []ID {
	ids := make([]ID, len(seqs))
	for n, seq := range seqs {
		ids[n].Seq = seq
	}
	return ids
}

// Close finishes what it was asked before, and closes the file. It is ErrHung where the disk does not let it: the end
// of the process then closes the file.
func (i *Inbox) Close() error {
	i.closing.Lock()
	already := i.closed
	if !already {
		i.closed = true
		close(i.requests)
	}
	i.closing.Unlock()
	if err := i.awaitWriter(); err != nil || already {
		return err
	}
	i.opening.Lock()
	defer i.opening.Unlock()
	if i.db == nil || errors.Is(i.stats.Load().Failure, ErrCorrupt) {
		// What bbolt panicked in may hold its locks; the end of the process closes the file.
		return nil
	}
	db := i.db
	i.db = nil
	return db.Close()
}

// awaitWriter waits until the last commit is done, or the disk does not answer.
func (i *Inbox) awaitWriter() error {
	look := i.options.Clock.NewTicker(hangTime / 10)
	defer look.Stop()
	for {
		select {
		case <-i.written:
			return nil
		case <-look.C():
			if err := i.hung(); err != nil {
				return err
			}
		}
	}
}
