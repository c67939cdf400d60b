// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"container/heap"
	"fmt"

	"go.etcd.io/bbolt"
)

// State is what is to become of a record.
type State string

const (
	// Waiting records are stored as soon as the API takes them.
	Waiting State = "waiting"
	// Dead letters wait for a person.
	Dead State = "dead"
)

// Bounds of one reading: a transaction of a reader keeps pages from being used again.
const (
	maxVisited   = 4096
	maxReadBytes = 1 << 20
)

// Page is a part of the inbox, oldest first.
type Page struct {
	Records []*Record
	// Last is the number of the last record that was looked at. The next page begins after it.
	Last uint64
	// More tells whether there are records after it.
	More bool
}

// Read returns up to limit records with numbers greater than after, of all namespaces.
func (i *Inbox) Read(state State, after uint64, limit int) (Page, error) {
	page := Page{Last: after}
	if after == ^uint64(0) {
		return page, nil
	}
	err := i.view(func(tx *bbolt.Tx) error {
		read := 0
		next := byNumber(streams(tx.Bucket(state.bucket()), func(string) uint64 { return after }))
		for heap.Init(&next); len(next) > 0; heap.Fix(&next, 0) {
			if len(page.Records) >= limit || read >= maxReadBytes {
				page.More = true
				return nil
			}
			record, err := next[0].record()
			if err != nil {
				return err
			}
			page.Records, page.Last = append(page.Records, record), record.Seq
			read += len(next[0].value)
			if next[0].advance(); next[0].key == nil {
				heap.Pop(&next)
				if len(next) == 0 {
					break
				}
			}
		}
		return nil
	})
	return page, err
}

// Next returns the oldest waiting record of a namespace with a number greater than after, of those that wanted asks
// for. It is nil where there is none.
func (i *Inbox) Next(namespace string, after uint64, wanted func(seq uint64) bool) (record *Record, err error) {
	for more := true; more && err == nil && after < ^uint64(0); {
		more = false
		err = i.view(func(tx *bbolt.Tx) error {
			s := &stream{namespace: namespace, cursor: tx.Bucket(bucketQueue).Cursor()}
			s.set(s.cursor.Seek(ID{Namespace: namespace, Seq: after + 1}.key()))
			for visited := 0; s.key != nil; s.advance() {
				if visited++; visited > maxVisited {
					more = true
					return nil
				}
				if after = s.id().Seq; wanted(after) {
					record, err = s.record()
					return err
				}
			}
			return nil
		})
	}
	return record, err
}

// stream is the records of one namespace, from somewhere on.
type stream struct {
	namespace  string
	cursor     *bbolt.Cursor
	key, value []byte
}

// streams returns those that have records after a number.
func streams(bucket *bbolt.Bucket, after func(namespace string) uint64) []*stream {
	var found []*stream
	names := bucket.Cursor()
	for k, _ := names.First(); k != nil; {
		namespace := idOf(k).Namespace
		s := &stream{namespace: namespace, cursor: bucket.Cursor()}
		if last := after(namespace); last < ^uint64(0) {
			s.set(s.cursor.Seek(ID{Namespace: namespace, Seq: last + 1}.key()))
		}
		if s.key != nil {
			found = append(found, s)
		}
		// Behind all numbers of the namespace.
		k, _ = names.Seek(append([]byte(namespace), 1))
	}
	return found
}

func (s *stream) set(k, value []byte) {
	if k == nil || idOf(k).Namespace != s.namespace {
		k, value = nil, nil
	}
	s.key, s.value = k, value
}

func (s *stream) advance() { s.set(s.cursor.Next()) }

func (s *stream) id() ID { return idOf(s.key) }

func (s *stream) record() (*Record, error) {
	seq := s.id().Seq
	record, err := decode(seq, s.value)
	if err != nil {
		return nil, fmt.Errorf("%w: record %d is %w", ErrCorrupt, seq, err)
	}
	return record, nil
}

// byNumber is a heap of streams with the least number first.
type byNumber []*stream

func (h byNumber) Len() int           { return len(h) }
func (h byNumber) Less(a, b int) bool { return h[a].id().Seq < h[b].id().Seq }
func (h byNumber) Swap(a, b int)      { h[a], h[b] = h[b], h[a] }
func (h *byNumber) Push(s any)        { *h = append(*h, s.(*stream)) }
func (h *byNumber) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

// Get returns one record and where it is. It is ErrNoRecord where there is none of the number.
func (i *Inbox) Get(seq uint64) (*Record, State, error) {
	var (
		record *Record
		found  State
	)
	err := i.view(func(tx *bbolt.Tx) error {
		for _, state := range []State{Waiting, Dead} {
			bucket := tx.Bucket(state.bucket())
			for _, s := range streams(bucket, func(string) uint64 { return seq - 1 }) {
				if s.id().Seq != seq {
					continue
				}
				var err error
				record, err = s.record()
				found = state
				return err
			}
		}
		return fmt.Errorf("%w: %d", ErrNoRecord, seq)
	})
	return record, found, err
}

// Has tells whether a record waits.
func (i *Inbox) Has(id ID) (bool, error) {
	waits := false
	err := i.view(func(tx *bbolt.Tx) error {
		waits = tx.Bucket(bucketQueue).Get(id.key()) != nil
		return nil
	})
	return waits, err
}

func (p State) bucket() []byte {
	if p == Dead {
		return bucketDead
	}
	return bucketQueue
}
