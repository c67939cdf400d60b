// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
)

// asHolder has the test binary start a cluster as a test would, print its state folder and wait until its stdin ends.
const asHolder = "CLUSTER_TEST_AS_HOLDER"

func hold(m *testing.M) int {
	return Main(m, Options{}, func(c *Cluster) {
		if os.Getenv(asHolder) == "paused" {
			if err := c.Pause(context.Background(), APIServer); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		fmt.Println(c.StateDir())
		_, _ = io.Copy(io.Discard, os.Stdin)
		panic("the holder was let go")
	})
}

func TestNothingIsLeft(t *testing.T) {
	for _, tc := range []struct {
		name, as string
		signal   os.Signal
		want     int
	}{
		{"after ctrl-C", "running", syscall.SIGINT, exitInterrupted},
		{"after ctrl-C with a part that cannot react", "paused", syscall.SIGINT, exitInterrupted},
		{"after a kill", "running", syscall.SIGKILL, -1},
		{"after a kill with a part that cannot react", "paused", syscall.SIGKILL, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			holder := exec.CommandContext(t.Context(), os.Args[0])
			holder.Env = append(os.Environ(), asHolder+"="+tc.as)
			holder.Stderr = t.Output()
			_, err := holder.StdinPipe()
			g.Expect(err).NotTo(HaveOccurred())
			stdout, err := holder.StdoutPipe()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(holder.Start()).To(Succeed())
			line := bufio.NewScanner(stdout)
			g.Expect(line.Scan()).To(BeTrue(), "the holder printed nothing")
			dir := line.Text()
			g.Expect(dir).To(BeADirectory())
			g.Expect(mentioned(dir)).NotTo(BeEmpty())

			g.Expect(holder.Process.Signal(tc.signal)).To(Succeed())
			g.Expect(holder.Wait()).To(HaveOccurred())
			g.Expect(holder.ProcessState.ExitCode()).To(Equal(tc.want))
			wantGone(g, dir)
		})
	}
}

func TestStop(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "state")
	c, err := Start(t.Context(), Options{StateDir: dir, Stderr: t.Output()})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = c.Stop() })
	g.Expect(c.StateDir()).To(Equal(dir))
	g.Expect(c.Pause(t.Context(), APIServer)).To(Succeed())

	g.Expect(c.Stop()).To(Succeed())
	wantGone(g, dir)
	g.Expect(c.Stop()).To(Succeed())
	g.Expect(c.Kill(t.Context(), Etcd)).To(MatchError(errStopped))
	g.Expect(c.PID(Etcd)).To(BeZero())
}

// TestStopInTheMiddleOfAStart has the etcd of an API server that is being started paused, so that it never gets ready.
func TestStopInTheMiddleOfAStart(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	c, err := Start(ctx, Options{Stderr: t.Output()})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = c.Stop() })
	g.Expect(c.Kill(ctx, APIServer)).To(Succeed())
	g.Expect(c.Pause(ctx, Etcd)).To(Succeed())
	started := make(chan error, 1)
	go func() { started <- c.StartPart(ctx, APIServer) }()
	g.Eventually(func() int { return c.PID(APIServer) }).WithTimeout(patience).ShouldNot(BeZero())

	g.Expect(c.Stop()).To(Succeed())
	g.Expect(<-started).To(MatchError(errStopped))
	wantGone(g, c.StateDir())
}

func TestNothingIsLeftOfACancelledStart(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "state")
	started := make(chan error, 1)
	go func() {
		_, err := Start(ctx, Options{StateDir: dir, Stderr: t.Output()})
		started <- err
	}()
	g.Eventually(filepath.Join(dir, "logs", string(APIServer)+".log")).WithTimeout(patience).Should(BeAnExistingFile())
	cancel()
	g.Expect(<-started).To(MatchError(context.Canceled))
	wantGone(g, dir)
}

func TestFailedStartShowsTheLogAndLeavesNothing(t *testing.T) {
	g := NewWithT(t)
	// A real program that is no etcd: it ends at once, complaining about the flags.
	programs := t.TempDir()
	other, err := exec.LookPath("go")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.Symlink(other, filepath.Join(programs, string(Etcd)))).To(Succeed())
	var stderr bytes.Buffer
	opts := Options{StateDir: filepath.Join(t.TempDir(), "state"), Stderr: &stderr}
	g.Expect(opts.complete()).To(Succeed())
	_, err = start(t.Context(), opts, programs)
	for _, want := range []string{
		"start etcd: it did not become ready", "exit status 2", "go help", "end of " + opts.StateDir,
	} {
		g.Expect(err).To(MatchError(ContainSubstring(want)))
	}
	g.Expect(stderr.String()).To(BeEmpty(), "the end of etcd is reported once")
	wantGone(g, opts.StateDir)
}

// wantGone wants no process that mentions the state folder, and the folder removed.
func wantGone(g Gomega, dir string) {
	g.Eventually(func() []string { return mentioned(dir) }).WithTimeout(patience).Should(BeEmpty())
	g.Eventually(dir).WithTimeout(patience).ShouldNot(BeADirectory())
}

// mentioned returns the command lines (on Linux) that name a path.
func mentioned(path string) []string {
	var lines []string
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return []string{err.Error()}
	}
	for _, file := range files {
		// A process that has ended meanwhile has no file any more.
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), path) {
			lines = append(lines, string(line))
		} else if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			lines = append(lines, err.Error())
		}
	}
	return lines
}
