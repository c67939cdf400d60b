// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// The volume of a replica that is gone is deleted once its Job has ended well: dead letters must keep it from that.
func TestDrainingAFileFailsWhileDeadLettersStay(t *testing.T) {
	kubeconfig := kubeconfigOfNobody(t)
	path := leftBehind(t)
	run := func(args ...string) (code int, out, errOut string) {
		var o, e strings.Builder
		args = append([]string{args[0], "--file=" + path, "--kubeconfig=" + kubeconfig}, args[1:]...)
		code = runInbox(t.Context(), args, &o, &e)
		return code, o.String(), e.String()
	}
	if code, _, errOut := run("drop", "1"); code != exitDone {
		t.Fatal(errOut)
	}
	code, out, errOut := run("drain")
	if code != exitDead || out != "0 records waiting, 2 dead letters left\n" ||
		!strings.Contains(errOut, "list, retry or drop") {
		t.Errorf("exit code %d, want %d: %s%s", code, exitDead, out, errOut)
	}
	code, out, errOut = run("drain", "--allow-dead-letters")
	if code != exitDone || out != "0 records waiting, 2 dead letters left\n" {
		t.Errorf("allowed: exit code %d: %s%s", code, out, errOut)
	}
	if code, _, errOut := run("drop", "2", "3"); code != exitDone {
		t.Fatal(errOut)
	}
	code, out, errOut = run("drain")
	if code != exitDone || out != "0 records waiting, 0 dead letters left\n" {
		t.Errorf("empty: exit code %d: %s%s", code, out, errOut)
	}
}

func TestADamagedFileIsSetAsideByTheCommand(t *testing.T) {
	path := leftBehind(t)
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	var out, errOut strings.Builder
	if code := runInbox(t.Context(), []string{"status", "--file=" + path}, &out, &errOut); code != exitFailed ||
		!strings.Contains(errOut.String(), "inbox set-aside") {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
	if code := runInbox(t.Context(), []string{"set-aside", "--file=" + path}, &out, &errOut); code != exitDone {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	aside, err := filepath.Glob(path + ".set-aside-*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside: %v (%v)", aside, err)
	}
	if !strings.Contains(out.String(), aside[0]) {
		t.Errorf("%q does not say where it went, %s", out.String(), aside[0])
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestAFileThatAServerHasOpenIsLeftAlone(t *testing.T) {
	path := leftBehind(t)
	i, err := inbox.Open(path, inbox.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, command := range []string{"status", "set-aside"} {
		var out, errOut strings.Builder
		if code := runInbox(t.Context(), []string{command, "--file=" + path}, &out, &errOut); code != exitFailed {
			t.Errorf("%s: exit code %d", command, code)
		}
		if !strings.Contains(errOut.String(), "another process has the inbox open") ||
			strings.Contains(errOut.String(), "move it away") {
			t.Errorf("%s says %q", command, errOut.String())
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// The command runs in the pod of the server, whose memory both share.
func TestTheInboxCommandMakesDoWithLittleMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	percent := debug.SetGCPercent(100)
	t.Cleanup(func() {
		debug.SetMemoryLimit(before)
		debug.SetGCPercent(percent)
	})
	var out, errOut strings.Builder
	args := []string{"status", "--file=" + leftBehind(t), "--memory-target=33554432"}
	if code := runInbox(t.Context(), args, &out, &errOut); code != exitDone {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	if got := debug.SetMemoryLimit(-1); got != 32<<20 {
		t.Errorf("the limit is %d bytes", got)
	}
}
