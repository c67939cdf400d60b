// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import "testing"

func BenchmarkDecode(b *testing.B) {
	body := []byte(contractExample)
	b.ReportAllocs()
	for b.Loop() {
		if _, fault := Decode(body); fault != nil {
			b.Fatal(*fault)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	doc, fault := Decode([]byte(contractExample))
	if fault != nil {
		b.Fatal(*fault)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := validate(doc, 12345); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}

// TestAllocations bounds what a delivery costs before anything is stored: some more than it needs today. How long it
// takes is for the benchmarks.
func TestAllocations(t *testing.T) {
	body := []byte(contractExample)
	doc, fault := Decode(body)
	if fault != nil {
		t.Fatal(*fault)
	}
	for name, tc := range map[string]struct {
		most float64
		do   func()
	}{
		"decode":   {24, func() { _, _ = Decode(body) }},
		"validate": {10, func() { _, _ = validate(doc, 12345) }},
	} {
		if got := testing.AllocsPerRun(100, tc.do); got > tc.most {
			t.Errorf("%s allocates %.0f times, at most %.0f wanted", name, got, tc.most)
		}
	}
}
