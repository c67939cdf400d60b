// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs the control plane that hack/controlplane builds, for tests, demos and benchmarks, and lets them
// kill, pause and restart its parts. Nothing of it outlives the process that started it.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
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

// parts are in the order in which they start; they stop in the opposite order.
var parts = []Part{Etcd, APIServer, ControllerManager}

// AuditLevel says how much of each request the API server writes to its audit log.
type AuditLevel string

// The audit levels. Bodies that hold credentials are never written, whatever the level.
const (
	AuditNone            AuditLevel = "None"
	AuditMetadata        AuditLevel = "Metadata"
	AuditRequest         AuditLevel = "Request"
	AuditRequestResponse AuditLevel = "RequestResponse"
)

var auditLevels = []AuditLevel{AuditNone, AuditMetadata, AuditRequest, AuditRequestResponse}

// partTimeout bounds the time in which a part has to become ready.
const partTimeout = 2 * time.Minute

// Options of a Cluster. The zero value is a control plane without audit log in a new temporary folder.
type Options struct {
	// StateDir is an absolute path; the folder is removed at the end. Empty: a new temporary folder.
	StateDir string
	// Programs is the folder that Build returned. Empty: Start builds what is missing.
	Programs string
	// AuditLevel is AuditNone when empty.
	AuditLevel AuditLevel
	// ContentionProfiling has the API server note where it waits, for its profiles, which costs it time.
	ContentionProfiling bool
	// Stderr gets the progress of a build and what goes wrong later. Nil: the stderr of this process.
	Stderr io.Writer
}

func (o *Options) complete() error {
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.AuditLevel == "" {
		o.AuditLevel = AuditNone
	}
	if !slices.Contains(auditLevels, o.AuditLevel) {
		return fmt.Errorf("audit level %q is none of %q", o.AuditLevel, auditLevels)
	}
	if o.StateDir != "" && !filepath.IsAbs(o.StateDir) {
		return fmt.Errorf("state folder %q is relative: give an absolute path", o.StateDir)
	}
	return nil
}

// Cluster is a running control plane. Its methods are safe for use by several goroutines; a part is started, ended or
// paused one at a time.
type Cluster struct {
	options   Options
	programs  string
	state     *state
	reaper    *reaper
	endpoints endpoints
	probes    *probes
	admin     *rest.Config

	// operating is held by what starts, ends or pauses a part.
	operating sync.Mutex
	// stopping is closed when Stop is called.
	stopping chan struct{}
	stopOnce sync.Once
	stopErr  error

	// mu guards running, in which a part that has ended is forgotten.
	mu      sync.Mutex
	running map[Part]*instance
}

// Start builds what is missing (minutes, once per version of Kubernetes; then about four seconds) and returns when
// the API server and the controllers work. Ctx bounds the start only; Stop ends the cluster, and so does the end of
// this process, however it ends. After an error nothing is left.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	programs := opts.Programs
	if programs == "" {
		var err error
		if programs, err = Build(ctx, opts.Stderr); err != nil {
			return nil, err
		}
	}
	return start(ctx, opts, programs)
}

// start starts the programs of a folder.
func start(ctx context.Context, opts Options, programs string) (*Cluster, error) {
	c := &Cluster{options: opts, programs: programs, stopping: make(chan struct{}), running: map[Part]*instance{}}
	err := c.prepare(ctx)
	for _, part := range parts {
		if err == nil {
			err = c.StartPart(ctx, part)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w", err), c.Stop())
	}
	return c, nil
}

// prepare writes everything that the parts need to start.
func (c *Cluster) prepare(ctx context.Context) (err error) {
	if c.state, err = newState(ctx, c.options.StateDir); err != nil {
		return err
	}
	if c.reaper, err = startReaper(c.state); err != nil {
		return err
	}
	if c.endpoints, err = newEndpoints(); err != nil {
		return err
	}
	if c.audits() {
		if err := c.state.write(auditPolicy(c.options.AuditLevel), "audit-policy.yaml"); err != nil {
			return err
		}
		// Made here, so that it is there to be read before the first request.
		if err := c.state.write(nil, auditLogName); err != nil {
			return err
		}
	}
	if c.probes, err = writeCredentials(c.state, c.endpoints); err != nil {
		return err
	}
	if c.admin, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig()); err != nil {
		return fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	c.admin.QPS = unlimited
	return nil
}

// unlimited turns off the client's own rate limiter, which would only measure itself in tests.
const unlimited = -1

// Stop ends every part and removes the state folder. Only the first call does so; each returns its result.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		close(c.stopping)
		c.operating.Lock()
		defer c.operating.Unlock()
		if err := c.stop(); err != nil {
			c.stopErr = fmt.Errorf("stopping the control plane: %w", err)
		}
	})
	return c.stopErr
}

// stop does what it can and returns every error.
func (c *Cluster) stop() error {
	var errs []error
	for _, part := range slices.Backward(parts) {
		if i := c.instance(part); i != nil {
			if err := c.end(i, i.terminate); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", part, err))
			}
		}
	}
	switch {
	case c.reaper != nil:
		errs = append(errs, c.reaper.close(), c.state.lock.Close())
	case c.state != nil:
		errs = append(errs, removeState(c.state.dir), c.state.lock.Close())
	}
	return errors.Join(errs...)
}

// PID returns the process id of a part, 0 when it does not run.
func (c *Cluster) PID(part Part) int {
	if i := c.instance(part); i != nil {
		return i.process.pid()
	}
	return 0
}

// Server returns the URL of the API server.
func (c *Cluster) Server() string { return loopback(c.endpoints.apiServer) }

// EtcdArgs returns the flags with which etcdctl reaches etcd.
func (c *Cluster) EtcdArgs() []string {
	return []string{
		"--endpoints=" + loopback(c.endpoints.etcd), "--cacert=" + c.state.path("pki", "etcd-ca.crt"),
		"--cert=" + c.state.path("pki", "etcd-client.crt"), "--key=" + c.state.path("pki", "etcd-client.key"),
	}
}

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.state.path("kubeconfig") }

// KubectlPath returns the path of a kubectl of the same version.
func (c *Cluster) KubectlPath() string { return filepath.Join(c.programs, "kubectl") }

// StateDir returns the folder that holds logs and data, until Stop removes it.
func (c *Cluster) StateDir() string { return c.state.dir }

// AuditLog returns the path of the audit log, empty without one.
func (c *Cluster) AuditLog() string {
	if !c.audits() {
		return ""
	}
	return c.state.path(auditLogName)
}

func (c *Cluster) audits() bool { return c.options.AuditLevel != AuditNone }

// Log returns the path of the log of a part.
func (c *Cluster) Log(part Part) string { return c.state.logPath(part) }

// AdminConfig returns a copy of the administrator's client configuration, without a rate limit.
func (c *Cluster) AdminConfig() *rest.Config { return rest.CopyConfig(c.admin) }
