// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox/boltfile"
)

// What the file begins with, in the terms of bbolt: a bucket that says what the file is.
var (
	bucketMeta         = []byte("meta")
	bucketQueue        = []byte("queue")
	bucketDead         = []byte("dead")
	bucketInstitutions = []byte("institutions")

	keyMagic  = []byte("magic")
	keyFormat = []byte("format")
	// keySnapshot has the time of the snapshot of the Institutions, once there is one.
	keySnapshot = []byte("snapshot")
	// keyProbe is written to see whether anything can be written.
	keyProbe = []byte("probe")

	magic = []byte("course-completion-operator inbox")
)

// format is the version of the file's layout. A greater one was written by a later version of the program, which may
// keep there what this one would lose.
const format = 2

const (
	fileMode = 0o600
	// allocBytes is by how much the file grows at a time.
	allocBytes = 4 << 20
	// mapBeyond is how much more than its bound the file may have: pages that are free again, and the last growth.
	mapBeyond = 64 << 20
)

var (
	// ErrForeign says that the file is something else than an inbox.
	ErrForeign = boltfile.ErrForeign
	// ErrCorrupt says that the file is an inbox, and damaged.
	ErrCorrupt = boltfile.ErrCorrupt
	// ErrLocked says that another process has the file open.
	ErrLocked = boltfile.ErrLocked
	// ErrNewer says that a later version of the program wrote the file.
	ErrNewer = errors.New("the inbox was written by a newer version of this program")
)

// openFile opens an existing file for this process alone, and looks through all of it before anything trusts it. What
// it finds there it adds to the state. The file is not changed unless rewrite is asked for.
func openFile(path string, wait time.Duration, rewrite bool, found *contents) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*os.File, error) { return nil, errors.Join(err, file.Close()) }
	info, err := file.Stat()
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() {
		return fail(fmt.Errorf("%w: not a regular file", ErrForeign))
	}
	if err := boltfile.Lock(file, wait); err != nil {
		return fail(err)
	}
	if err := boltfile.Verify(file, found.visit); err != nil {
		return fail(err)
	}
	if err := found.complete(); err != nil {
		return fail(err)
	}
	if info.Mode().Perm() != fileMode {
		// A volume that is given to a group of users gets the mode of the group with it.
		if err := file.Chmod(fileMode); err != nil {
			return fail(fmt.Errorf("restricting access to the inbox: %w", err))
		}
	}
	if rewrite {
		if err := boltfile.RewriteMeta(file); err != nil {
			return fail(err)
		}
	}
	return file, nil
}

// create makes an empty inbox. It appears under its name whole or not at all, and never in the place of another file.
func create(path string) (err error) {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	if err := temporary.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(temporary.Name(), fileMode, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(layOut), db.Sync(), db.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// layOut makes what every inbox has.
func layOut(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketQueue, bucketDead, bucketInstitutions} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	meta, err := tx.CreateBucket(bucketMeta)
	if err != nil {
		return err
	}
	return errors.Join(meta.Put(keyMagic, magic), meta.Put(keyFormat, binary.BigEndian.AppendUint32(nil, format)))
}

// contents is what is counted in a file as it is looked through.
type contents struct {
	magic   []byte
	format  []byte
	records int
	dead    int
	lastSeq uint64
	// given is the last number that was given to a record.
	given    uint64
	snapshot bool
	// shares are how many bytes of the file the records of each namespace take, dead letters included.
	shares map[string]int64
	// counts are how many records each namespace has. When the oldest came is in oldest.
	counts map[string]Count
	// oldest is when the first of each namespace's waiting records came.
	oldest map[string]time.Time
	// buckets are those there are.
	buckets []string
	// fault is what is wrong with what the file holds. It counts only where the file is an inbox of this format.
	fault error
}

// visit looks at a bucket, with its sequence, or at one key with its value.
func (s *contents) visit(bucket, key, value []byte) error {
	switch {
	case key == nil:
		s.buckets = append(s.buckets, string(bucket))
		if bytes.Equal(bucket, bucketQueue) {
			s.given = binary.BigEndian.Uint64(value)
		}
	case bytes.Equal(bucket, bucketMeta):
		switch {
		case bytes.Equal(key, keyMagic):
			s.magic = bytes.Clone(value)
		case bytes.Equal(key, keyFormat):
			s.format = bytes.Clone(value)
		case bytes.Equal(key, keySnapshot):
			s.snapshot = true
		}
	case bytes.Equal(bucket, bucketQueue):
		s.records++
		s.noteFault(s.record(key, value, Count{Records: 1}))
	case bytes.Equal(bucket, bucketDead):
		s.dead++
		s.noteFault(s.record(key, value, Count{DeadLetters: 1}))
	case bytes.Equal(bucket, bucketInstitutions):
		if _, err := unseal(value); err != nil {
			s.noteFault(fmt.Errorf("%w: an Institution in the snapshot is %w", ErrCorrupt, err))
		}
	}
	return nil
}

func (s *contents) noteFault(err error) {
	if s.fault == nil {
		s.fault = err
	}
}

func (s *contents) record(key, value []byte, one Count) error {
	id := idOf(key)
	seq := id.Seq
	s.lastSeq = max(s.lastSeq, seq)
	h, err := decodeHead(value)
	if err != nil {
		return fmt.Errorf("%w: record %d is %w", ErrCorrupt, seq, err)
	}
	if !bytes.Equal(key, ID{Namespace: string(h.texts[1]), Seq: seq}.key()) {
		return fmt.Errorf("%w: record %d is in the wrong place", ErrCorrupt, seq)
	}
	if err := checkSum(value); err != nil {
		return fmt.Errorf("%w: record %d is %w", ErrCorrupt, seq, err)
	}
	if s.shares == nil {
		s.shares, s.counts = make(map[string]int64), make(map[string]Count)
	}
	s.shares[id.Namespace] += sizeOf(value)
	count := s.counts[id.Namespace]
	s.counts[id.Namespace] = Count{
		Records: count.Records + one.Records, DeadLetters: count.DeadLetters + one.DeadLetters,
	}
	if _, known := s.oldest[id.Namespace]; one.Records > 0 && !known {
		s.count(map[string]time.Time{id.Namespace: h.received})
	}
	return nil
}

// count notes when the first of a namespace's waiting records came; zero where none waits.
func (s *contents) count(oldest map[string]time.Time) {
	if s.oldest == nil {
		s.oldest = make(map[string]time.Time)
	}
	for namespace, received := range oldest {
		if received.IsZero() {
			delete(s.oldest, namespace)
			continue
		}
		s.oldest[namespace] = received
	}
}

// complete tells whether a whole file of bbolt is an inbox that this program may use.
func (s *contents) complete() error {
	switch {
	case !bytes.Equal(s.magic, magic):
		return fmt.Errorf("%w: bbolt file of another program", ErrForeign)
	case len(s.format) != 4:
		return fmt.Errorf("%w: no format version", ErrCorrupt)
	case binary.BigEndian.Uint32(s.format) < format:
		return fmt.Errorf("%w: its format is %d, this version supports %d: drain it with the version that wrote it",
			ErrForeign, binary.BigEndian.Uint32(s.format), format)
	case binary.BigEndian.Uint32(s.format) != format:
		return fmt.Errorf("%w: its format is %d, this version supports %d", ErrNewer,
			binary.BigEndian.Uint32(s.format), format)
	}
	for _, bucket := range [][]byte{bucketQueue, bucketDead, bucketInstitutions} {
		if !slices.Contains(s.buckets, string(bucket)) {
			return fmt.Errorf("%w: bucket %s is missing", ErrCorrupt, bucket)
		}
	}
	if s.fault == nil && s.lastSeq > s.given {
		// The checksum of a record does not cover its number.
		return fmt.Errorf("%w: record %d has a number that no record was given", ErrCorrupt, s.lastSeq)
	}
	return s.fault
}
