// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestConcurrentUse(t *testing.T) {
	c := compiler(t, Scope{})
	shared, err := c.Template("u-${user.id}-${user.name.lowerAscii()}", UseText)
	if err != nil {
		t.Fatal(err)
	}
	predicate, err := c.Predicate("user.id % 2 == 0 && [1, 2].exists(x, x == user.id % 3)")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for id := range int64(16) {
		wg.Go(func() {
			v := Variables{User: User{ID: id, Name: strings.Repeat("A", int(id))}}
			own, err := compiler(t, Scope{}).Template("${user.id}", UseValue)
			if err != nil {
				t.Error(err)
				return
			}
			for range 50 {
				want := "u-" + strconv.FormatInt(id, 10) + "-" + strings.Repeat("a", int(id))
				if got, err := shared.String(v); err != nil || got != want {
					t.Errorf("text %q, %v, want %q", got, err, want)
				}
				if got, err := predicate.Eval(v); err != nil || got != (id%2 == 0 && id%3 != 0) {
					t.Errorf("predicate of %d is %t, %v", id, got, err)
				}
				if got, err := own.Eval(v); err != nil || got != id {
					t.Errorf("value %v, %v, want %d", got, err, id)
				}
			}
		})
	}
	wg.Wait()
}
