//go:build unix && !linux

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
	"errors"
	"syscall"
)

// canLimit says whether the limits of another process can be set here.
const canLimit = false

const noLimit = ^uint64(0)

var errNotHere = errors.New("can only be done on Linux")

func limitFiles(int, uint64) error { return errNotHere }

func mountSmall(string, int64) error { return errNotHere }

func unmount(string) error { return errNotHere }

func fill(string) error { return errNotHere }

func ownMounts() *syscall.SysProcAttr { return nil }
