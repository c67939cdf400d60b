// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Snapshot is what was last known of the Institutions, for a server that starts while the API is away.
type Snapshot struct {
	// Taken is when that was.
	Taken time.Time
	// Entries are the Institutions by their keys, in the form of the caller.
	Entries map[string][]byte
}

// SaveSnapshot puts a snapshot in the place of the last one, and returns once it is on the disk. Only what has changed
// is written.
func (i *Inbox) SaveSnapshot(ctx context.Context, snapshot Snapshot) error {
	return i.ask(ctx, &request{what: opSnapshot, snapshot: &snapshot})
}

// LoadSnapshot returns the last snapshot, nil where none was ever saved.
func (i *Inbox) LoadSnapshot() (*Snapshot, error) {
	var loaded *Snapshot
	err := i.view(func(tx *bbolt.Tx) error {
		taken := tx.Bucket(bucketMeta).Get(keySnapshot)
		if len(taken) != 8 {
			return nil
		}
		loaded = &Snapshot{
			Taken:   time.Unix(0, int64(binary.BigEndian.Uint64(taken))).UTC(),
			Entries: map[string][]byte{},
		}
		return tx.Bucket(bucketInstitutions).ForEach(func(k, value []byte) error {
			entry, err := unseal(value)
			if err != nil {
				return fmt.Errorf("%w: an Institution in the snapshot is %w", ErrCorrupt, err)
			}
			loaded.Entries[string(k)] = bytes.Clone(entry)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// write makes the bucket what the snapshot is.
func (s *Snapshot) write(tx *bbolt.Tx) error {
	bucket := tx.Bucket(bucketInstitutions)
	var gone [][]byte
	err := bucket.ForEach(func(k, _ []byte) error {
		if _, ok := s.Entries[string(k)]; !ok {
			gone = append(gone, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range gone {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Entries)) {
		sealed := seal(s.Entries[k])
		if bytes.Equal(bucket.Get([]byte(k)), sealed) {
			continue
		}
		if err := bucket.Put([]byte(k), sealed); err != nil {
			return err
		}
	}
	taken := binary.BigEndian.AppendUint64(nil, uint64(s.Taken.UnixNano()))
	return tx.Bucket(bucketMeta).Put(keySnapshot, taken)
}

// seal puts a checksum before the data.
func seal(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli)), data...)
}

func unseal(sealed []byte) ([]byte, error) {
	if len(sealed) < 4 || crc32.Checksum(sealed[4:], castagnoli) != binary.BigEndian.Uint32(sealed) {
		return nil, errors.New("checksum mismatch")
	}
	return sealed[4:], nil
}
