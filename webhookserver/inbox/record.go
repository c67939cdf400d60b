// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Record is a delivery that the API has not taken.
type Record struct {
	// Seq is the record's number in its inbox, which it keeps among the dead letters too. Numbers rise in the order in
	// which records came, and none is given twice. Put and Hold assign it.
	Seq uint64
	// Received is when the delivery came, to the nanosecond.
	Received time.Time
	// Attempts is how often the record was tried before it became a dead letter.
	Attempts uint32
	// DeliveryID is what the sender was told.
	DeliveryID string
	// Namespace is where it is to be stored.
	Namespace string
	// Name is what it is to be stored as.
	Name string
	// Reason says in a word why the API did not take it.
	Reason string
	// Data is the delivery, minimised; its form is the caller's.
	Data []byte
}

// Bounds of a record's parts, in bytes.
const (
	MaxTextBytes = 1 << 10
	MaxDataBytes = 4 << 20
)

const (
	recordVersion = 1
	// headBytes are the version, the checksum, the time, the attempts, four lengths of texts and the length of the data.
	headBytes = 1 + 4 + 8 + 4 + 4*2 + 4
	// checkedFrom is where that begins which the checksum covers.
	checkedFrom = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("not a record")

// encode returns the record's form in the file. It fails where a part is longer than its bound.
func (r *Record) encode() ([]byte, error) {
	texts := [...]string{r.DeliveryID, r.Namespace, r.Name, r.Reason}
	size := headBytes + len(r.Data)
	for _, text := range texts {
		if len(text) > MaxTextBytes {
			return nil, fmt.Errorf("text of %d bytes exceeds %d", len(text), MaxTextBytes)
		}
		size += len(text)
	}
	if len(r.Data) > MaxDataBytes {
		return nil, fmt.Errorf("data of %d bytes exceeds %d", len(r.Data), MaxDataBytes)
	}
	b := make([]byte, checkedFrom, size)
	b[0] = recordVersion
	b = binary.BigEndian.AppendUint64(b, uint64(r.Received.UnixNano()))
	b = binary.BigEndian.AppendUint32(b, r.Attempts)
	for _, text := range texts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Data)))
	for _, text := range texts {
		b = append(b, text...)
	}
	b = append(b, r.Data...)
	binary.BigEndian.PutUint32(b[1:], crc32.Checksum(b[checkedFrom:], castagnoli))
	return b, nil
}

// head is what decodeHead finds at the beginning of a record.
type head struct {
	received time.Time
	attempts uint32
	// texts and data are where they lie: parts of what was decoded, not copies.
	texts [4][]byte
	data  []byte
}

// decodeHead reads a record without looking at its checksum. It takes exactly what encode makes.
func decodeHead(b []byte) (head, error) {
	var h head
	if len(b) < headBytes {
		return h, fmt.Errorf("%w: %d bytes are shorter than the header", errRecord, len(b))
	}
	if b[0] != recordVersion {
		return h, fmt.Errorf("%w of version %d", errRecord, recordVersion)
	}
	h.received = time.Unix(0, int64(binary.BigEndian.Uint64(b[5:]))).UTC()
	h.attempts = binary.BigEndian.Uint32(b[13:])
	rest := b[headBytes:]
	for i := range h.texts {
		length := int(binary.BigEndian.Uint16(b[17+2*i:]))
		if length > MaxTextBytes || length > len(rest) {
			return h, fmt.Errorf("%w: text has %d bytes", errRecord, length)
		}
		h.texts[i], rest = rest[:length], rest[length:]
	}
	if length := binary.BigEndian.Uint32(b[25:]); length > MaxDataBytes || int(length) != len(rest) {
		return h, fmt.Errorf("%w: expected %d bytes of data, got %d", errRecord, length, len(rest))
	}
	h.data = rest
	return h, nil
}

// checkSum tells whether the bytes are those that encode made.
func checkSum(b []byte) error {
	if crc32.Checksum(b[checkedFrom:], castagnoli) != binary.BigEndian.Uint32(b[1:]) {
		return fmt.Errorf("%w: checksum mismatch", errRecord)
	}
	return nil
}

// decode reads a record and checks its sum. Nothing of the result lies in b.
func decode(seq uint64, b []byte) (*Record, error) {
	h, err := decodeHead(b)
	if err != nil {
		return nil, err
	}
	if err := checkSum(b); err != nil {
		return nil, err
	}
	return &Record{
		Seq: seq, Received: h.received, Attempts: h.attempts,
		DeliveryID: string(h.texts[0]), Namespace: string(h.texts[1]), Name: string(h.texts[2]), Reason: string(h.texts[3]),
		Data: append([]byte(nil), h.data...),
	}, nil
}
