// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	for _, tc := range []struct {
		name string
		want Record
	}{
		{"usual", *newRecord(1)},
		{"empty", Record{Received: time.Unix(0, 0).UTC()}},
		{"longest", Record{
			Received: received, Attempts: 1<<32 - 1, DeliveryID: strings.Repeat("d", MaxTextBytes),
			Namespace: strings.Repeat("n", MaxTextBytes), Name: strings.Repeat("c", MaxTextBytes),
			Reason: strings.Repeat("r", MaxTextBytes), Data: bytes.Repeat([]byte{0xff}, MaxDataBytes),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Seq = 7
			encoded, err := tc.want.encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(7, encoded)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(&tc.want, got) {
				t.Errorf("got %.200v, want %.200v", got, &tc.want)
			}
		})
	}
}

func TestRecordsThatAreTooLongAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		record Record
		want   string
	}{
		{"text", Record{Reason: strings.Repeat("r", MaxTextBytes+1)}, "text of 1025 bytes exceeds 1024"},
		{"data", Record{Data: make([]byte, MaxDataBytes+1)}, "data of 4194305 bytes exceeds 4194304"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := tc.record.encode(); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// Whatever bit changes, the record is not taken for another one.
func TestEveryChangedBitIsNoticed(t *testing.T) {
	encoded, err := newRecord(1).encode()
	if err != nil {
		t.Fatal(err)
	}
	for at := range 8 * len(encoded) {
		changed := bytes.Clone(encoded)
		changed[at/8] ^= 1 << (at % 8)
		if got, err := decode(1, changed); err == nil {
			t.Errorf("bit %d: decoded as %+v", at, got)
		}
	}
	for length := range len(encoded) {
		if _, err := decode(1, encoded[:length]); err == nil {
			t.Errorf("decoded from the first %d bytes", length)
		}
	}
	if _, err := decode(1, append(encoded, 0)); err == nil {
		t.Error("decoded with a byte too many")
	}
}

// FuzzRecord holds that anything is either no record or exactly what encode makes of what was decoded.
func FuzzRecord(f *testing.F) {
	for _, record := range []*Record{newRecord(1), {}, {Data: bytes.Repeat([]byte{1}, 300)}} {
		encoded, err := record.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
		f.Add(encoded[:len(encoded)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		record, err := decode(3, b)
		if err != nil {
			return
		}
		again, err := record.encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x was decoded as %+v, which is %x", b, record, again)
		}
	})
}
