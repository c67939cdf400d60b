// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// ticksPerSecond is the unit of CPU times in /proc on Linux.
const ticksPerSecond = 100

// cpuTimes are the CPU seconds that each process has used, in the order of processes.
type cpuTimes [5]float64

// processes are those whose CPU time says what a figure is limited by.
var processes = []string{"API server", "etcd", "webhook server", "load generator", "minimal server"}

// cpu reads the CPU times. A process that cannot be read has none.
func (w *world) cpu(bare int) cpuTimes {
	var times cpuTimes
	for i, pid := range []int{
		w.plane.PID(cluster.APIServer), w.plane.PID(cluster.Etcd), w.system.WebhookServer.PID(), os.Getpid(), bare,
	} {
		times[i] = cpuSeconds(pid)
	}
	return times
}

// cpuSeconds returns the user and system time of a process.
func cpuSeconds(pid int) float64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything; the times are the 12th and 13th field after it.
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	inUser, _ := strconv.ParseFloat(fields[11], 64)
	inKernel, _ := strconv.ParseFloat(fields[12], 64)
	return (inUser + inKernel) / ticksPerSecond
}

// costs add up what the runs of a figure and of its reference cost.
type costs struct {
	spent [2]cpuTimes
	count [2]int
}

func (c *costs) add(figure bool, before, after cpuTimes, n int) {
	at := 0
	if !figure {
		at = 1
	}
	for i := range after {
		c.spent[at][i] += after[i] - before[i]
	}
	c.count[at] += n
}

// note writes the CPU time of one delivery, by process.
func (c *costs) note(t *table, figure, reference string) {
	for at, name := range []string{figure, reference} {
		if c.count[at] == 0 {
			continue
		}
		var parts []string
		for i, process := range processes {
			if c.spent[at][i] == 0 {
				continue
			}
			parts = append(parts, fmt.Sprintf("%s %.2f", process, c.spent[at][i]*1000/float64(c.count[at])))
		}
		t.note("CPU per delivery in ms, %s: %s", name, strings.Join(parts, ", "))
	}
}

// memoryLimit is how much anonymous memory the webhook server may have, in KiB.
const memoryLimit = 64 << 10

// memory watches how much anonymous memory a program has.
type memory struct {
	mu    sync.Mutex
	peaks map[string]int
	phase string
	done  chan struct{}
	ended chan struct{}
}

// watchMemory samples RssAnon every 20 milliseconds until stop.
func watchMemory(program *system.Program) *memory {
	m := &memory{peaks: make(map[string]int), phase: "start", done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-m.done:
				return
			case <-tick.C:
				kib := anonymousKiB(program.PID())
				m.mu.Lock()
				m.peaks[m.phase] = max(m.peaks[m.phase], kib)
				m.mu.Unlock()
			}
		}
	}()
	return m
}

func (m *memory) stop() {
	close(m.done)
	<-m.ended
}

// enter says what happens from now on.
func (m *memory) enter(phase string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phase = phase
}

// anonymousKiB returns RssAnon of a process, 0 when it cannot be read.
func anonymousKiB(pid int) int {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			return kib
		}
	}
	return 0
}

// measureMemory adds what was watched all the time.
func (w *world) measureMemory(t *table) {
	w.memory.mu.Lock()
	defer w.memory.mu.Unlock()
	most := 0
	var parts []string
	for phase, kib := range w.memory.peaks {
		most = max(most, kib)
		parts = append(parts, fmt.Sprintf("%s %.1f MiB", phase, float64(kib)/1024))
	}
	slices.Sort(parts)
	t.bound("peak anonymous memory of the webhook server", fmt.Sprintf("%.1f MiB", float64(most)/1024),
		"< 64 MiB", most > 0 && most < memoryLimit)
	t.note("anonymous memory: RssAnon from /proc, every 20 ms; peak by phase: %s", strings.Join(parts, ", "))
}
