// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

const senders = 64

// BenchmarkPut is what 64 senders get, each of which waits until its record is on the disk.
func BenchmarkPut(b *testing.B) {
	i, err := Open(b.TempDir()+"/inbox.db", Options{MaxBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	concurrently(b, func(n int) error {
		record := newRecord(n)
		record.Data = make([]byte, 600)
		return i.Put(b.Context(), record)
	})
	stats := i.Stats()
	b.ReportMetric(float64(stats.Bytes)/float64(stats.Records), "file-bytes/record")
	if err := i.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBatch is the same with bbolt's own group commit.
func BenchmarkBatch(b *testing.B) {
	db, err := bbolt.Open(b.TempDir()+"/bare.db", 0o600, &bbolt.Options{
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30,
	})
	if err != nil {
		b.Fatal(err)
	}
	db.MaxBatchSize = senders
	if err := db.Update(layOut); err != nil {
		b.Fatal(err)
	}
	concurrently(b, func(int) error {
		value := make([]byte, 690)
		return db.Batch(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(bucketQueue)
			seq, err := bucket.NextSequence()
			if err != nil {
				return err
			}
			return bucket.Put(ID{Namespace: "institution-0", Seq: seq}.key(), value)
		})
	})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

func concurrently(b *testing.B, do func(n int) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for n := s; n < b.N; n += senders {
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
}
