// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

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

// spawn starts the command so that it outlives neither this process nor a ctrl-C that is meant for this process alone.
func spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}
