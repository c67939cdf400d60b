// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os/exec"
	"runtime"
	"sync"
)

// spawner starts programs from one operating system thread that lives as long as this process: the kernel sends a
// parent death signal when the thread that forked ends, not when the process does.
var spawner = sync.OnceValue(func() chan<- func() {
	requests := make(chan func())
	go func() {
		runtime.LockOSThread()
		for request := range requests {
			request()
		}
	}()
	return requests
})

// Spawn starts the command in a process group of its own, which a ctrl-C for this process does not reach. On Linux the
// kernel kills it when this process ends, however it ends.
func Spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = spawnAttributes()
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}
