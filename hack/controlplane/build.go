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
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// heartbeat is how often a long build says that it is alive.
const heartbeat = 15 * time.Second

const modulePrefix = ".module-"

// buildFlags compile the thousand packages that the product imports too as go build and go test do by default, so that
// they are compiled once. With -trimpath or without cgo they would be compiled twice.
var buildFlags = []string{
	"-mod=readonly", "-buildvcs=false",
	// The linker drops debug information, which is a tenth of the compiler's work. The product imports none of these
	// packages. Of several patterns that match one, the last counts.
	"-gcflags=k8s.io/kubernetes/...=-dwarf=false",
	"-gcflags=k8s.io/apiserver/...=-dwarf=false",
	"-gcflags=k8s.io/kube-aggregator/...=-dwarf=false",
	"-gcflags=k8s.io/cloud-provider/...=-dwarf=false",
	// Inlining is another fifth. It stays where it makes requests fast: registries, admission, conversion, storage.
	"-gcflags=k8s.io/kubernetes/cmd/...=-dwarf=false -l",
	"-gcflags=k8s.io/kubernetes/pkg/controller/...=-dwarf=false -l",
	"-gcflags=k8s.io/kubernetes/pkg/controlplane/...=-dwarf=false -l",
	"-gcflags=k8s.io/kubernetes/pkg/kubeapiserver/options/...=-dwarf=false -l",
	"-gcflags=k8s.io/kubernetes/pkg/kubelet/...=-dwarf=false -l",
	"-gcflags=k8s.io/kubernetes/pkg/scheduler/...=-dwarf=false -l",
	"-gcflags=k8s.io/kubernetes/pkg/volume/...=-dwarf=false -l",
}

// buildEnvironment overrides the caller's. GOFLAGS is not emptied but set: an empty variable would let the value of
// `go env -w` through.
var buildEnvironment = []string{
	"GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on",
	"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH,
}

// collectLate has compilers and linkers, which end within seconds, collect no garbage below 2 GiB. That saves up to a
// third of the CPU time in large packages and changes nothing of what they write, so recipeHash leaves it out.
var collectLate = []string{"GOGC=off", "GOMEMLIMIT=2GiB"}

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
	if err := b.buildPrograms(ctx, programs); err != nil {
		return err
	}
	b.sayf("built %s in %s", b.release.dir, time.Since(start).Round(time.Second))
	return nil
}

// buildPrograms compiles all of them by one go command, so that one is linked while others are still compiled.
func (b *builder) buildPrograms(ctx context.Context, programs []program) error {
	var names, packages []string
	build := append([]string{"build", "-v"}, buildFlags...)
	for _, p := range programs {
		names, packages = append(names, p.name+" "+p.version), append(packages, p.pkg)
		build = append(build, "-ldflags="+p.pkg+"="+p.ldflags)
	}
	b.sayf("building %s from source: 5 to 10 minutes on two cores the first time. If interrupted, it "+
		"continues where it stopped", strings.Join(names, ", "))
	list := b.command(ctx, append([]string{"list", "-deps"}, packages...)...)
	var found bytes.Buffer
	list.Stdout = &found
	if err := b.watch(ctx, list, "loading modules", 0); err != nil {
		return fmt.Errorf("loading the modules of the control plane: %w", err)
	}
	// A folder of its own keeps a half-written program from ever being taken for a finished one.
	built := filepath.Join(b.module, "built") + string(filepath.Separator)
	compile := b.command(ctx, append(append(build, "-o", built), packages...)...)
	if err := b.watch(ctx, compile, "compiling", bytes.Count(found.Bytes(), []byte{'\n'})); err != nil {
		return fmt.Errorf("building the control plane: %w", err)
	}
	for _, p := range programs {
		if err := os.Rename(built+p.executable(), b.release.path(p.name)); err != nil {
			return fmt.Errorf("moving %s to its place: %w", p.name, err)
		}
	}
	return nil
}

// command is `go args...` in a process group of its own, killed as a whole (compilers included) when ctx ends.
func (b *builder) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.module
	cmd.Env = slices.Concat(os.Environ(), buildEnvironment, collectLate)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// watch runs cmd and reports how far it is: in one line that moves on a terminal, by a line every heartbeat elsewhere.
// The stderr of the go command names one package (or one
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
	line, every := b.line()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for reading := true; reading; {
		select {
		case <-read:
			reading = false
		case <-tick.C:
			line(title + ": " + progress(compiled.Load(), downloaded.Load(), total, time.Since(start)))
		}
	}
	line("")
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w\n%s", err, strings.Join(lastOf(problems, 40), "\n"))
	}
	return nil
}

// line returns what shows how far something is, which is told nothing at the end, and how often to call it.
func (b *builder) line() (show func(text string), every time.Duration) {
	if !isTerminal(b.stderr) {
		return func(text string) {
			if text != "" {
				b.sayf("%s", text)
			}
		}, heartbeat
	}
	return func(text string) {
		// Carriage return, and erase to the end of the line.
		fmt.Fprint(b.stderr, "\r\x1b[K"+text)
	}, time.Second
}

// isTerminal reports whether something is shown to people, or to nobody, which makes no difference.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progress words how far a build is. The total is an upper bound, since what the Go build cache holds is not compiled
// again, and so is the time that is left.
func progress(compiled, downloaded int64, total int, elapsed time.Duration) string {
	elapsed = elapsed.Round(time.Second)
	if total == 0 {
		return fmt.Sprintf("%d modules downloaded, %s", downloaded, elapsed)
	}
	text := fmt.Sprintf("%d of at most %d packages, %s", compiled, total, elapsed)
	if compiled >= int64(total)/20 && compiled > 0 {
		left := time.Duration(float64(elapsed) * float64(int64(total)-compiled) / float64(compiled))
		text += fmt.Sprintf(", about %s left", left.Round(10*time.Second))
	}
	return text
}

func lastOf(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

func (b *builder) sayf(format string, args ...any) {
	fmt.Fprintf(b.stderr, "controlplane: "+format+"\n", args...)
}
