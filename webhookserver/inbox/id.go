// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"encoding/binary"
)

// ID tells a record from all others of an inbox.
type ID struct {
	// Namespace is where the record is to be stored.
	Namespace string
	// Seq is its number, which no other record of any namespace has.
	Seq uint64
}

// ID returns the record's.
func (r *Record) ID() ID { return ID{Namespace: r.Namespace, Seq: r.Seq} }

const seqBytes = 8

// key returns where a record is in the file. The records of a namespace are beside each other, oldest first, so that
// what one namespace has takes pages of its own, and can be read without looking at the others.
func (id ID) key() []byte {
	k := make([]byte, 0, len(id.Namespace)+1+seqBytes)
	k = append(k, id.Namespace...)
	k = append(k, 0)
	return binary.BigEndian.AppendUint64(k, id.Seq)
}

// idOf returns the record that a key stands for. The namespace of what is no key is empty.
func idOf(k []byte) ID {
	at := len(k) - seqBytes
	if at < 1 {
		return ID{}
	}
	return ID{Namespace: string(k[:at-1]), Seq: binary.BigEndian.Uint64(k[at:])}
}
