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
)

// Page is a part of the inbox, oldest first.
type Page struct {
	Records []*Record
	// Last is the number of the last record that was looked at. The next page begins after it.
	Last uint64
	// More tells whether there are records after it.
	More bool
}

// Read returns up to limit records with numbers greater than after, of those that wanted asks for by number and
// namespace; nil asks for all. It looks at a bounded number of records: a page may be empty although there are More.
func (i *Inbox) Read(
	place Place, after uint64, limit int, wanted func(seq uint64, namespace []byte) bool,
) (Page, error) {
	page := Page{Last: after}
	if after == ^uint64(0) {
		return page, nil
	}
	err := i.view(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(place.bucket()).Cursor()
		visited, read := 0, 0
		for k, value := cursor.Seek(key(after + 1)); k != nil; k, value = cursor.Next() {
			if len(page.Records) >= limit || visited >= maxVisited || read >= maxReadBytes {
				page.More = true
				return nil
			}
			visited++
			seq := seqOf(k)
			h, err := decodeHead(value)
			if err != nil {
				return fmt.Errorf("%w: record %d is %w", ErrCorrupt, seq, err)
			}
			page.Last = seq
			if wanted != nil && !wanted(seq, h.texts[1]) {
				continue
			}
			record, err := decode(seq, value)
			if err != nil {
				return fmt.Errorf("%w: record %d is %w", ErrCorrupt, seq, err)
			}
			page.Records = append(page.Records, record)
			read += len(value)
		}
		return nil
	})
	return page, err
}

// Get returns one record and where it is. It is ErrNoRecord where there is none of the number.
func (i *Inbox) Get(seq uint64) (*Record, Place, error) {
	var (
		record *Record
		found  Place
	)
	err := i.view(func(tx *bbolt.Tx) error {
		for _, place := range []Place{Waiting, Dead} {
			value := tx.Bucket(place.bucket()).Get(key(seq))
			if value == nil {
				continue
			}
			var err error
			if record, err = decode(seq, value); err != nil {
				return fmt.Errorf("%w: record %d is %w", ErrCorrupt, seq, err)
			}
			found = place
			return nil
		}
		return fmt.Errorf("%w: %d", ErrNoRecord, seq)
	})
	return record, found, err
}

func (p Place) bucket() []byte {
	if p == Dead {
		return bucketDead
	}
	return bucketQueue
}
