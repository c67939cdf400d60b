// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// heartbeat is how often a long build says that it is alive.
const heartbeat = 15 * time.Second

const modulePrefix = ".module-"

var buildFlags = []string{"-mod=readonly", "-buildvcs=false", "-trimpath"}

// buildEnvironment overrides the caller's. GOFLAGS is not emptied but set: an empty variable would let the value of
// `go env -w` through.
var buildEnvironment = []string{
	"GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on", "CGO_ENABLED=0",
	"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH,
}

type builder struct {
	release *release
	stderr  io.Writer
	// module is a folder with the embedded go.mod and go.sum.
	module string
}

func (b *builder) buildAll(ctx context.Context, programs []program) error {
	if len(programs) == 0 {
		return nil
	}
	start := time.Now()
	// What a killed builder left; the lock says that nobody uses it.
	stale, err := filepath.Glob(filepath.Join(b.release.dir, modulePrefix+"*"))
	if err != nil {
		return fmt.Errorf("looking for the remains of a killed build: %w", err)
	}
	for _, dir := range stale {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing the remains of a killed build: %w", err)
		}
	}
	module, err := os.MkdirTemp(b.release.dir, modulePrefix)
	if err != nil {
		return fmt.Errorf("creating the module to build in: %w", err)
	}
	defer os.RemoveAll(module)
	b.module = module
	for name, content := range map[string][]byte{"go.mod": goMod, "go.sum": goSum} {
		if err := os.WriteFile(filepath.Join(module, name), content, 0o644); err != nil {
			return fmt.Errorf("writing the module to build in: %w", err)
		}
	}
	for i, p := range programs {
		if err := b.buildOne(ctx, p, fmt.Sprintf("[%d/%d] %s %s", i+1, len(programs), p.name, p.version)); err != nil {
			return fmt.Errorf("building %s %s: %w", p.name, p.version, err)
		}
	}
	b.sayf("built %s in %s", b.release.dir, time.Since(start).Round(time.Second))
	return nil
}

func (b *builder) buildOne(ctx context.Context, p program, title string) error {
	start := time.Now()
	b.sayf("%s: loading modules and counting packages", title)
	list := b.command(ctx, "list", "-deps", p.pkg)
	var packages bytes.Buffer
	list.Stdout = &packages
	if err := b.watch(ctx, list, title+": loading modules", 0); err != nil {
		return err
	}
	total := bytes.Count(packages.Bytes(), []byte{'\n'})
	b.sayf("%s: compiling, about %s min on two cores from a cold cache, seconds from a warm one", title, p.minutes)
	// The temporary name keeps a half-written program from ever being taken for a finished one.
	temporary := filepath.Join(b.module, p.name)
	args := append([]string{"build", "-v"}, buildFlags...)
	compile := b.command(ctx, append(args, "-ldflags", p.ldflags, "-o", temporary, p.pkg)...)
	if err := b.watch(ctx, compile, title+": compiling", total); err != nil {
		return err
	}
	if err := os.Rename(temporary, b.release.path(p.name)); err != nil {
		return fmt.Errorf("moving it to its place: %w", err)
	}
	b.sayf("%s: done in %s", title, time.Since(start).Round(time.Second))
	return nil
}

// command is `go args...` in a process group of its own, killed as a whole (compilers included) when ctx ends.
func (b *builder) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), buildEnvironment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// watch runs cmd and reports how far it is every heartbeat. The stderr of the go command names one package (or one
// download) a line; whatever looks otherwise is kept for the error.
func (b *builder) watch(ctx context.Context, cmd *exec.Cmd, title string, total int) error {
	start := time.Now()
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the go command: %w", err)
	}
	var compiled, downloaded atomic.Int64
	var problems []string
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "go: downloading "):
				downloaded.Add(1)
			case strings.ContainsAny(line, " \t"):
				problems = append(problems, line)
			default:
				compiled.Add(1)
			}
		}
		// A line beyond the scanner's limit must not block the go command.
		_, _ = io.Copy(io.Discard, pipe)
	}()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for reading := true; reading; {
		select {
		case <-read:
			reading = false
		case <-tick.C:
			b.sayf("%s: %s, %s", title, time.Since(start).Round(time.Second),
				progress(compiled.Load(), downloaded.Load(), total))
		}
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w\n%s", err, strings.Join(lastOf(problems, 40), "\n"))
	}
	return nil
}

// progress words a count. The total is an upper bound: what the Go build cache holds is not compiled again.
func progress(compiled, downloaded int64, total int) string {
	text := fmt.Sprintf("%d modules downloaded", downloaded)
	if total > 0 {
		text = fmt.Sprintf("%d packages compiled of at most %d", compiled, total)
	}
	return text
}

func lastOf(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

func (b *builder) sayf(format string, args ...any) {
	fmt.Fprintf(b.stderr, "controlplane: "+format+"\n", args...)
}
