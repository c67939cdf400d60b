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
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fillShare puts records of one namespace until no more are taken, and returns them.
func fillShare(t *testing.T, i *Inbox, namespace string) []*Record {
	t.Helper()
	var records []*Record
	for n := range 1000 {
		record := newRecord(n)
		record.Namespace, record.Data = namespace, make([]byte, 2<<10)
		add := i.Put
		if n%2 == 1 {
			add = i.Hold
		}
		if err := add(t.Context(), record); err != nil {
			if !errors.Is(err, ErrShare) {
				t.Fatalf("refused after %d: %v", n, err)
			}
			return records
		}
		records = append(records, record)
	}
	t.Fatal("never refused")
	return nil
}

func TestANamespaceGetsHalfOfTheInboxAndNoMore(t *testing.T) {
	const bound = 512 << 10
	path := newPath(t)
	bounded := func(o *Options) { o.MaxBytes = bound }
	i := open(t, path, bounded)
	greedy := fillShare(t, i, "greedy")
	if stats := i.Stats(); stats.Full() || stats.Bytes < bound/2 {
		t.Errorf("with half of it taken: %+v", stats)
	}
	another := newRecord(1)
	another.Namespace = "another"
	if err := i.Put(t.Context(), another); err != nil {
		t.Errorf("a namespace with nothing in it is refused: %v", err)
	}
	closeInbox(t, i)

	// What is counted is what is there, also after opening it again.
	again := open(t, path, bounded)
	refused := newRecord(2)
	refused.Namespace, refused.Data = "greedy", make([]byte, 2<<10)
	if err := again.Put(t.Context(), refused); !errors.Is(err, ErrShare) {
		t.Errorf("after opening it again: %v", err)
	}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"removed", func() error { return again.Remove(t.Context(), greedy[0].Seq) }},
		{"dropped", func() error { return again.Drop(t.Context(), greedy[1].Seq) }},
	} {
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		if err := again.Put(t.Context(), refused); err != nil {
			t.Errorf("where one was %s: %v", change.name, err)
		}
	}
	if err := again.Bury(t.Context(), greedy[2]); err != nil {
		t.Fatal(err)
	}
	if err := again.Put(t.Context(), refused); !errors.Is(err, ErrShare) {
		t.Errorf("a dead letter takes as much as one that waits: %v", err)
	}
	counted := again.counted.shares
	closeInbox(t, again)
	if diff := cmp.Diff(open(t, path, bounded).counted.shares, counted); diff != "" {
		t.Errorf("shares that are in the file, and that were counted (-want +got):\n%s", diff)
	}
}
