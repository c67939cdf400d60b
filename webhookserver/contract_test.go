// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	_ "embed"
	"strings"
	"testing"
)

// contractExample is the example of the sender's contract, byte for byte.
//
//go:embed testdata/contract-example.json
var contractExample string

// planted is what a delivery may hold and no answer may quote.
const planted = "planted-8731"

// with returns the contract's example after replacements, each of something that occurs exactly once.
func with(t testing.TB, oldNew ...string) string {
	t.Helper()
	body := contractExample
	for i := 0; i < len(oldNew); i += 2 {
		if n := strings.Count(body, oldNew[i]); n != 1 {
			t.Fatalf("%q occurs %d times in the delivery", oldNew[i], n)
		}
		body = strings.Replace(body, oldNew[i], oldNew[i+1], 1)
	}
	return body
}
