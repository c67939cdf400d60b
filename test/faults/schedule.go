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

package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// kind is what happens to a target.
type kind string

const (
	// kill is SIGKILL, and a new start at the end of the fault.
	kill kind = "kill -9"
	// pause is SIGSTOP, and SIGCONT at the end.
	pause kind = "pause"
	// filesStop sets RLIMIT_FSIZE to what the inbox has, so that no file of the process can grow.
	filesStop kind = "no file grows"
	// filesFull sets RLIMIT_FSIZE to a page: nearly no write succeeds.
	filesFull kind = "no write succeeds"
	// diskFull fills the small file system of the inbox to its last byte.
	diskFull kind = "disk full"
	// clockStep sets the clock of a program, and sets it right at the end.
	clockStep kind = "clock step"
	// powerLoss kills everything at once.
	powerLoss kind = "power loss"
)

// Targets besides the webhook servers, which are called by their number.
const (
	manager   = "controller-manager"
	apiServer = "kube-apiserver"
	etcd      = "etcd"
	all       = "everything"
)

func server(number int) string { return fmt.Sprintf("webhook-server %d", number) }

// fault is one thing that goes wrong.
type fault struct {
	kind   kind
	target string
	// at is when it begins, counted from the begin of the round, and lasts how long it takes.
	at, lasts time.Duration
	// step is how far a clock is set, in seconds.
	step int64
}

func (f fault) String() string {
	text := fmt.Sprintf("%s of %s at %s for %s", f.kind, f.target, f.at, f.lasts)
	if f.kind == clockStep {
		text += fmt.Sprintf(" by %s", time.Duration(f.step)*time.Second)
	}
	return text
}

const (
	// sending is how long deliveries are sent in a round.
	sending = 4 * time.Second
	// longest is how long a fault lasts at most.
	longest = 2500 * time.Millisecond
	// powerLossEvery is how rarely everything dies at once: it takes the place of all other faults of its round.
	powerLossEvery = 15
	// furthest is how far a clock is set. The server refuses what lies two days ahead of its clock, and what is sent lies
	// a day behind the right one.
	furthest = 20 * time.Hour
)

// capabilities say what can be done to this machine.
type capabilities struct {
	servers int
	// limits says that the limits of a process can be set, and smallDisks that the inboxes have file systems of their own.
	limits, smallDisks bool
}

// schedule returns the faults of a round, in the order in which they begin: always the same for a seed, a round and
// what can be done. No target has two at the same time, and of the API server and etcd only one has any, since neither
// starts without the other.
func schedule(seed uint64, round int, can capabilities) []fault {
	random := rand.New(rand.NewPCG(seed, uint64(round)))
	moment := func() time.Duration { return time.Duration(random.Int64N(int64(sending))).Round(time.Millisecond) }
	length := func() time.Duration {
		return (50*time.Millisecond + time.Duration(random.Int64N(int64(longest)))).Round(time.Millisecond)
	}
	if random.IntN(powerLossEvery) == 0 {
		return []fault{{kind: powerLoss, target: all, at: moment(), lasts: length()}}
	}
	var possible []fault
	add := func(target string, kinds ...kind) {
		possible = append(possible, fault{target: target, kind: kinds[random.IntN(len(kinds))]})
	}
	for i := range can.servers {
		kinds := []kind{kill, kill, pause}
		if can.limits {
			kinds = append(kinds, filesStop, filesFull)
		}
		if can.smallDisks {
			kinds = append(kinds, diskFull, diskFull)
		}
		add(server(i), kinds...)
		possible = append(possible, fault{target: server(i), kind: clockStep})
	}
	add(manager, kill, pause)
	possible = append(possible, fault{target: manager, kind: clockStep})
	// Twice, since it is when the API is away that the inbox works.
	add([]string{apiServer, etcd}[random.IntN(2)], kill, pause)
	random.Shuffle(len(possible), func(i, j int) { possible[i], possible[j] = possible[j], possible[i] })

	faults := possible[:1+random.IntN(4)]
	for i := range faults {
		faults[i].at, faults[i].lasts = moment(), length()
		if faults[i].kind == clockStep {
			faults[i].step = random.Int64N(int64(2*furthest/time.Second)) - int64(furthest/time.Second)
		}
	}
	slices.SortFunc(faults, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
	return faults
}

func describe(faults []fault) string {
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.String())
	}
	return strings.Join(texts, "; ")
}
