// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox/boltfile"
)

// change is one transaction.
type change struct {
	tx          *bbolt.Tx
	queue, dead *bbolt.Bucket
	counted     contents
	// free is how many bytes may still be added.
	free int64
	// grown is how many bytes each namespace gets by this transaction, moved how many records.
	grown map[string]int64
	moved map[string]Count
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
		b.move(namespace, 0, 1)
		return b.dead.Put(id.key(), r.value)
	}
	b.move(namespace, 1, 0)
	return b.queue.Put(id.key(), r.value)
}

// move counts how many more records of a namespace wait, and how many more are dead letters.
func (b *change) move(namespace string, waiting, dead int) {
	b.counted.records += waiting
	b.counted.dead += dead
	moved := b.moved[namespace]
	moved.Records += waiting
	moved.DeadLetters += dead
	b.moved[namespace] = moved
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
		b.move(id.Namespace, -1, 0)
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
	b.move(r.ids[0].Namespace, -1, 1)
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
		b.move(idOf(k).Namespace, 1, -1)
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
			b.move(idOf(k).Namespace, 0, -1)
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

// counts returns how many records the namespaces have after the transaction.
func (b *change) counts() map[string]Count {
	after := b.counted.counts
	if after == nil {
		after = make(map[string]Count)
	}
	for namespace, by := range b.moved {
		count := Count{
			Records:     after[namespace].Records + by.Records,
			DeadLetters: after[namespace].DeadLetters + by.DeadLetters,
		}
		if after[namespace] = count; count == (Count{}) {
			delete(after, namespace)
		}
	}
	return after
}

// sizeOf returns how many bytes of the file a record takes.
func sizeOf(value []byte) int64 {
	h, err := decodeHead(value)
	if err != nil {
		return int64(len(value))
	}
	return boltfile.SizeOf(len(h.texts[1])+1+8, len(value))
}
