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
