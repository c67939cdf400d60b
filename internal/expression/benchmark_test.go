// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"testing"
)

func BenchmarkCompile(b *testing.B) {
	c := compiler(b, Scope{})
	for b.Loop() {
		if _, err := c.Template("grad-${user.id}-${dnsLabel(course.name)}", UseMetadata); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPredicate(b *testing.B) {
	predicate, err := compiler(b, Scope{}).Predicate("course.id == 123456 && enrollment.status == 1")
	if err != nil {
		b.Fatal(err)
	}
	v := ada()
	for b.Loop() {
		if holds, err := predicate.Eval(v); err != nil || !holds {
			b.Fatal(holds, err)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	template, err := compiler(b, Scope{}).Template("grad-${user.id}", UseMetadata)
	if err != nil {
		b.Fatal(err)
	}
	v := ada()
	for b.Loop() {
		if got, err := template.String(v); err != nil || got != "grad-987654321" {
			b.Fatal(got, err)
		}
	}
}
