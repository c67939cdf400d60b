// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster starts the control plane of hack/controlplane for tests, demos and benchmarks, and lets them kill,
// pause and restart its parts. Nothing of it outlives the process that started it.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Part is one program of the control plane.
type Part string

// The parts of the control plane.
const (
	Etcd              Part = "etcd"
	APIServer         Part = "kube-apiserver"
	ControllerManager Part = "kube-controller-manager"
)

// AuditLevel says how much of each request the API server writes to its audit log.
type AuditLevel string

// The audit levels. Bodies that hold credentials are never written, whatever the level.
const (
	AuditNone            AuditLevel = "None"
	AuditMetadata        AuditLevel = "Metadata"
	AuditRequest         AuditLevel = "Request"
	AuditRequestResponse AuditLevel = "RequestResponse"
)

// stopTimeout is how long the starter may need to stop everything before it is killed. Its own bounds add up to less.
const stopTimeout = 45 * time.Second

// Options of a Cluster. The zero value is a control plane without audit log in a new temporary folder.
type Options struct {
	// StateDir is an absolute path; the folder is removed at the end. Empty: a new temporary folder.
	StateDir string
	// AuditLevel is AuditNone when empty.
	AuditLevel AuditLevel
	// Stderr gets the progress of a build and what goes wrong later. Nil: the stderr of this process.
	Stderr io.Writer
}

// Cluster is a running control plane. Its methods are safe for use by several goroutines.
type Cluster struct {
	cmd     *exec.Cmd
	link    *link
	ready   readyMessage
	admin   *rest.Config
	exited  chan struct{}
	exitErr error

	stopOnce sync.Once
	stopErr  error
}

// Start builds what is missing (minutes, once per version of Kubernetes; then about four seconds) and returns when
// the API server and the controllers work. Ctx bounds the start only; Stop ends the cluster, and so does the end of
// this process, however it ends.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	stderr := opts.Stderr
	if stderr == nil {
		stderr = os.Stderr
	}
	starter, err := buildStarter(ctx, stderr)
	if err != nil {
		return nil, err
	}
	args := []string{"start", "--build"}
	if opts.StateDir != "" {
		args = append(args, "--dir", opts.StateDir)
	}
	if opts.AuditLevel != "" {
		args = append(args, "--audit-level", string(opts.AuditLevel))
	}
	c := &Cluster{cmd: exec.Command(starter, args...), exited: make(chan struct{})}
	c.cmd.Stderr = stderr
	// Ctrl-C in a terminal is for us to handle: the starter ends when we stop it or are gone.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = 5 * time.Second
	if err := c.launch(); err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	if err := c.awaitReady(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) launch() error {
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	// Not StdoutPipe: Wait would close it under the reader.
	stdout, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	c.cmd.Stdout = writer
	if err := errors.Join(c.cmd.Start(), writer.Close()); err != nil {
		return errors.Join(err, stdout.Close())
	}
	c.link = newLink(stdin, stdout)
	go func() {
		c.exitErr = c.cmd.Wait()
		close(c.exited)
	}()
	return nil
}

func (c *Cluster) awaitReady(ctx context.Context) error {
	var err error
	if c.ready, err = c.link.ready(ctx); err != nil {
		return err
	}
	if c.admin, err = clientcmd.BuildConfigFromFlags("", c.ready.Kubeconfig); err != nil {
		return fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	c.admin.QPS = unlimited
	return nil
}

// unlimited turns off the client's own rate limiter, which would only measure itself in tests.
const unlimited = -1

// Stop ends every part and removes the state folder. Only the first call does so; each returns its result.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() { c.stopErr = c.stop() })
	return c.stopErr
}

// stop closes the starter's stdin, which needs no answer and also works in the middle of a start.
func (c *Cluster) stop() error {
	if err := c.link.close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("stopping the control plane: %w", err)
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		// What the starter leaves when it is killed, its parts and its folder, goes with it.
		err := c.cmd.Process.Kill()
		<-c.exited
		late := fmt.Errorf("stopping the control plane took more than %s, the starter was killed", stopTimeout)
		return errors.Join(late, err)
	}
	if c.exitErr != nil {
		return fmt.Errorf("stopping the control plane: the starter ended with: %w", c.exitErr)
	}
	return nil
}

// Kill ends a part with SIGKILL and returns when it is gone.
func (c *Cluster) Kill(ctx context.Context, part Part) error { return c.do(ctx, "kill", part) }

// Pause stops a part with SIGSTOP: connections to it stay open, and nothing answers.
func (c *Cluster) Pause(ctx context.Context, part Part) error { return c.do(ctx, "pause", part) }

// Resume has a paused part go on.
func (c *Cluster) Resume(ctx context.Context, part Part) error { return c.do(ctx, "resume", part) }

// StartPart starts a part that was killed, on the same port and data, and returns when it is ready.
func (c *Cluster) StartPart(ctx context.Context, part Part) error { return c.do(ctx, "start", part) }

// Restart ends a part gracefully, starts it again and returns when it is ready.
func (c *Cluster) Restart(ctx context.Context, part Part) error { return c.do(ctx, "restart", part) }

func (c *Cluster) do(ctx context.Context, op string, part Part) error {
	if _, err := c.link.do(ctx, op, part); err != nil {
		return fmt.Errorf("%s %s: %w", op, part, err)
	}
	return nil
}

// PID returns the process id of a part, 0 when it does not run.
func (c *Cluster) PID(ctx context.Context, part Part) (int, error) {
	parts, err := c.link.do(ctx, "status", "")
	if err != nil {
		return 0, fmt.Errorf("asking for the process id of %s: %w", part, err)
	}
	info, ok := parts[part]
	if !ok {
		return 0, fmt.Errorf("unknown part %q", part)
	}
	return info.PID, nil
}

// Server returns the URL of the API server.
func (c *Cluster) Server() string { return c.ready.Server }

// EtcdArgs returns the flags with which etcdctl reaches etcd.
func (c *Cluster) EtcdArgs() []string {
	pki := filepath.Join(c.ready.StateDir, "pki")
	return []string{
		"--endpoints=" + c.ready.Etcd, "--cacert=" + filepath.Join(pki, "etcd-ca.crt"),
		"--cert=" + filepath.Join(pki, "etcd-client.crt"), "--key=" + filepath.Join(pki, "etcd-client.key"),
	}
}

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.ready.Kubeconfig }

// KubectlPath returns the path of a kubectl of the same version.
func (c *Cluster) KubectlPath() string { return c.ready.Kubectl }

// StateDir returns the folder that holds logs and data, until Stop removes it.
func (c *Cluster) StateDir() string { return c.ready.StateDir }

// AuditLog returns the path of the audit log, empty without one.
func (c *Cluster) AuditLog() string { return c.ready.AuditLog }

// Log returns the path of the log of a part.
func (c *Cluster) Log(part Part) string { return c.ready.Parts[part].Log }

// AdminConfig returns a copy of the administrator's client configuration, without a rate limit.
func (c *Cluster) AdminConfig() *rest.Config { return rest.CopyConfig(c.admin) }
