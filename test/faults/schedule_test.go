// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScheduleFollowsTheSeed(t *testing.T) {
	can := capabilities{servers: 2, limits: true, smallDisks: true}
	unexported := cmp.AllowUnexported(fault{})
	differ := 0
	for round := range 100 {
		first, again := schedule(7, round, can), schedule(7, round, can)
		if diff := cmp.Diff(first, again, unexported); diff != "" {
			t.Fatalf("round %d is something else the second time (-first +again):\n%s", round, diff)
		}
		if !cmp.Equal(first, schedule(8, round, can), unexported) {
			differ++
		}
	}
	if differ < 90 {
		t.Errorf("only %d of 100 rounds differ between two seeds", differ)
	}
}

func TestSchedulesReachEverything(t *testing.T) {
	can := capabilities{servers: 2, limits: true, smallDisks: true}
	reached := make(map[string]int)
	for round := range 1000 {
		busy := make(map[string]bool)
		plane := 0
		for _, f := range schedule(1, round, can) {
			reached[string(f.kind)+" of "+f.target]++
			if f.at < 0 || f.at >= sending || f.lasts <= 0 || f.lasts > sending {
				t.Errorf("round %d: %s is not within the round", round, f)
			}
			key := f.target
			if f.kind == clockStep {
				key += "'s clock"
			}
			if busy[key] {
				t.Errorf("round %d: two faults of %s at once", round, key)
			}
			busy[key] = true
			if f.target == apiServer || f.target == etcd {
				plane++
			}
		}
		if plane > 1 {
			t.Errorf("round %d: both the API server and etcd have a fault", round)
		}
	}
	for _, want := range []string{
		"kill -9 of webhook-server 0", "kill -9 of webhook-server 1", "kill -9 of controller-manager",
		"kill -9 of kube-apiserver", "kill -9 of etcd", "pause of webhook-server 0", "pause of webhook-server 1",
		"pause of controller-manager", "pause of kube-apiserver", "pause of etcd", "no file grows of webhook-server 0",
		"no write succeeds of webhook-server 1", "disk full of webhook-server 0", "clock step of webhook-server 1",
		"clock step of controller-manager", "power loss of everything",
	} {
		if reached[want] < 5 {
			t.Errorf("%s happened %d times in 1000 rounds", want, reached[want])
		}
	}
}

func TestNothingIsPlannedThatCannotBeDone(t *testing.T) {
	for round := range 1000 {
		for _, f := range schedule(1, round, capabilities{servers: 1}) {
			if f.kind == filesStop || f.kind == filesFull || f.kind == diskFull || f.target == server(1) {
				t.Errorf("round %d has %s", round, f)
			}
		}
	}
}
