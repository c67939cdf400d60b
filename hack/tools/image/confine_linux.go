// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// confine has the command see nothing but the folder, as the user of the image. Without root it is run as it is.
func confine(cmd *exec.Cmd, root string) {
	if os.Geteuid() != 0 {
		return
	}
	cmd.Path = "/" + filepath.Base(cmd.Path)
	cmd.Args[0] = cmd.Path
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     root,
		Credential: &syscall.Credential{Uid: 65532, Gid: 65532},
	}
}
