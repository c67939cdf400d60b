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
