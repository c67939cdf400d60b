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
