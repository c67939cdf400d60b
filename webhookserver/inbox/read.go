// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"container/heap"
	"fmt"

	"go.etcd.io/bbolt"
)

// Place is where in the inbox a record is.
type Place string

const (
	// Waiting records are stored as soon as the API takes them.
	Waiting Place = "waiting"
	// Dead letters wait for a person.
	Dead Place = "dead"
)

// Bounds of one reading: a transaction of a reader keeps pages from being used again.
const (
	maxVisited   = 4096
	maxReadBytes = 1 << 20
	// maxTurn is how many records of one namespace are passed over before another one has its turn.
	maxTurn = 64
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
func (i *Inbox) Read(place Place, after uint64, limit int) (Page, error) {
	page := Page{Last: after}
	if after == ^uint64(0) {
		return page, nil
	}
	err := i.view(func(tx *bbolt.Tx) error {
		read := 0
		next := byNumber(streams(tx.Bucket(place.bucket()), func(string) uint64 { return after }))
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

// Position is up to where Next has read. Its zero value is the beginning.
type Position struct {
	// after is the last record that was looked at of each namespace, turn the namespace that had the last turn.
	after map[string]uint64
	turn  string
}

// Next returns up to limit waiting records after a position, of those that wanted asks for, and moves the position
// behind them. The namespaces take turns, each with its oldest record. It looks at a bounded number of records: there
// may be more although it returns none.
func (i *Inbox) Next(
	from *Position, limit int, wanted func(seq uint64, namespace string) bool,
) (records []*Record, more bool, err error) {
	if from.after == nil {
		from.after = make(map[string]uint64)
	}
	err = i.view(func(tx *bbolt.Tx) error {
		turns := streams(tx.Bucket(bucketQueue), func(namespace string) uint64 { return from.after[namespace] })
		turns = from.rotate(turns)
		visited, read := 0, 0
		for len(turns) > 0 {
			if len(records) >= limit || visited >= maxVisited || read >= maxReadBytes {
				more = true
				return nil
			}
			s := turns[0]
			turns = turns[1:]
			for n := 0; s.key != nil && n < maxTurn; n++ {
				visited++
				id := s.id()
				from.after[s.namespace], from.turn = id.Seq, s.namespace
				found := wanted(id.Seq, s.namespace)
				if found {
					record, err := s.record()
					if err != nil {
						return err
					}
					records = append(records, record)
					read += len(s.value)
				}
				if s.advance(); found {
					break
				}
			}
			if s.key != nil {
				turns = append(turns, s)
			}
		}
		return nil
	})
	return records, more, err
}

// rotate has the namespace begin that comes after the one that had the last turn.
func (p *Position) rotate(turns []*stream) []*stream {
	for n, s := range turns {
		if s.namespace > p.turn {
			return append(turns[n:len(turns):len(turns)], turns[:n]...)
		}
	}
	return turns
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
func (i *Inbox) Get(seq uint64) (*Record, Place, error) {
	var (
		record *Record
		found  Place
	)
	err := i.view(func(tx *bbolt.Tx) error {
		for _, place := range []Place{Waiting, Dead} {
			bucket := tx.Bucket(place.bucket())
			for _, s := range streams(bucket, func(string) uint64 { return seq - 1 }) {
				if s.id().Seq != seq {
					continue
				}
				var err error
				record, err = s.record()
				found = place
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

func (p Place) bucket() []byte {
	if p == Dead {
		return bucketDead
	}
	return bucketQueue
}
