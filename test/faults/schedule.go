// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

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
	// powerLoss kills everything: the API server first, and all the rest a little later.
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
	// apart is how much later than the API server the rest dies.
	apart time.Duration
}

func (f fault) String() string {
	text := fmt.Sprintf("%s of %s at %s for %s", f.kind, f.target, f.at, f.lasts)
	if f.kind == clockStep {
		text += fmt.Sprintf(" by %s", time.Duration(f.step)*time.Second)
	}
	if f.kind == powerLoss {
		text += fmt.Sprintf(", the API server %s before the rest", f.apart)
	}
	return text
}

const (
	// sending is how long deliveries are sent in a round.
	sending = 4 * time.Second
	// longest is how long a fault lasts at most.
	longest = 2500 * time.Millisecond
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

// planner makes the faults of one round.
type planner struct {
	random *rand.Rand
	can    capabilities
}

// schedule returns the faults of a round, in the order in which they begin: always the same for a seed, a round and
// what can be done. No target has two at the same time, and of the API server and etcd only one has any, since neither
// starts without the other.
func schedule(seed uint64, round int, can capabilities) []fault {
	p := planner{random: rand.New(rand.NewPCG(seed, uint64(round))), can: can}
	var faults []fault
	switch shape := p.random.IntN(16); {
	case shape < 2:
		// What came after the API server died is in the inboxes alone when the rest dies.
		faults = []fault{{
			kind: powerLoss, target: all, at: p.between(0, sending/2), lasts: p.between(0, longest),
			apart: p.between(0, sending/3),
		}}
	case shape < 10:
		faults = p.away()
	default:
		faults = p.mixed()
	}
	slices.SortFunc(faults, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
	return faults
}

// between returns a moment or a length.
func (p planner) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(p.random.Int64N(int64(most-least)))).Round(time.Millisecond)
}

// away takes the API away, and harms the webhook servers meanwhile: that is when the inboxes have what nobody else has.
func (p planner) away() []fault {
	plane := p.plane()
	plane.at, plane.lasts = p.between(0, sending/4), p.between(sending/2, sending*3/4)
	faults := []fault{plane}
	for _, i := range p.random.Perm(p.can.servers)[:1+p.random.IntN(p.can.servers)] {
		f := p.server(i)
		f.at, f.lasts = p.between(plane.at+plane.lasts/4, plane.at+plane.lasts), p.between(50*time.Millisecond, longest)
		faults = append(faults, f)
	}
	if p.random.IntN(4) == 0 {
		faults = append(faults, p.clock())
	}
	return faults
}

// mixed has one to four faults of anything.
func (p planner) mixed() []fault {
	possible := []fault{p.plane(), p.clock(), {target: manager, kind: p.one(kill, pause)}}
	for i := range p.can.servers {
		possible = append(possible, p.server(i))
	}
	p.random.Shuffle(len(possible), func(i, j int) { possible[i], possible[j] = possible[j], possible[i] })
	faults := possible[:1+p.random.IntN(min(4, len(possible)))]
	for i := range faults {
		faults[i].at, faults[i].lasts = p.between(0, sending), p.between(50*time.Millisecond, longest)
	}
	return faults
}

func (p planner) one(kinds ...kind) kind { return kinds[p.random.IntN(len(kinds))] }

func (p planner) plane() fault {
	return fault{target: []string{apiServer, etcd}[p.random.IntN(2)], kind: p.one(kill, pause)}
}

func (p planner) server(i int) fault {
	kinds := []kind{kill, kill, kill, pause}
	if p.can.limits {
		kinds = append(kinds, filesStop, filesFull)
	}
	if p.can.smallDisks {
		kinds = append(kinds, diskFull)
	}
	return fault{target: server(i), kind: p.one(kinds...)}
}

func (p planner) clock() fault {
	targets := []string{manager}
	for i := range p.can.servers {
		targets = append(targets, server(i))
	}
	step := p.between(-furthest, furthest).Round(time.Second)
	return fault{
		target: targets[p.random.IntN(len(targets))], kind: clockStep, step: int64(step / time.Second),
		at: p.between(0, sending), lasts: p.between(50*time.Millisecond, longest),
	}
}

func describe(faults []fault) string {
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.String())
	}
	return strings.Join(texts, "; ")
}
