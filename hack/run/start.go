// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// sampleName is the name of the sample institution and of its namespace, see config/samples/institution.yaml.
const sampleName = "institution-12345"

// How long a program that ended waits before it is started again: twice as long each time.
const (
	restartWait    = time.Second
	maxRestartWait = 30 * time.Second
)

// session is everything that was started.
type session struct {
	// dir is .run in the checkout; kubeconfig and urlFile are what scripts read from it, and kubectl is one of the right
	// version that has the plugin.
	dir, kubeconfig, urlFile, kubectl string

	// lock is held until the end.
	lock *os.File

	cluster *cluster.Cluster
	system  *system.System
	node    *system.Node
	client  client.WithWatch
	// leave ends what the node says of itself.
	leave context.CancelFunc
	// url is where the sample institution's deliveries go. It holds the token.
	url string

	// demo reports that nothing may end by itself; otherwise a program that does is started again.
	demo     bool
	restarts map[string]int
}

// start brings everything up, to the point where the first delivery can be posted. What it started it stops when it
// fails.
func start(ctx context.Context, demo bool) (s *session, err error) {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, ".run")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the directory for logs and credentials: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s = &session{
		lock: lock, demo: demo, restarts: map[string]int{},
		dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig"), urlFile: filepath.Join(dir, "webhook-url"),
		kubectl: filepath.Join(dir, "bin", "kubectl"),
	}
	// A return of nothing must not keep what was started from being stopped.
	defer func(started *session) {
		if err != nil {
			err = errors.Join(err, started.stop())
		}
	}(s)
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"building the programs and starting the control plane", s.startCluster},
		{"installing config/default and starting both programs as their ServiceAccounts", s.startSystem},
		{"creating pods that represent both programs", s.startNode},
		{"applying config/samples and waiting for the Institution", s.applySamples},
	}
	for _, step := range steps {
		say("%s", step.what)
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Printf("    %s\n", time.Since(began).Round(10*time.Millisecond))
	}
	return s, nil
}

// startCluster builds the programs while the control plane starts. The very first start compiles that one before, and
// says so: two go commands at the same time would both compile the packages that the programs share with it.
func (s *session) startCluster(ctx context.Context) error {
	programs, err := cluster.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	var building sync.WaitGroup
	var built, started error
	building.Go(func() {
		built = system.BuildAll(ctx, filepath.Join(s.dir, "bin"), os.Stderr)
	})
	s.cluster, started = cluster.Start(ctx, cluster.Options{
		StateDir: filepath.Join(s.dir, "controlplane"), Programs: programs,
	})
	building.Wait()
	if err := errors.Join(built, started); err != nil {
		return err
	}
	content, err := os.ReadFile(s.cluster.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	if err := writePrivate(s.kubeconfig, content); err != nil {
		return err
	}
	if err := os.Remove(s.kubectl); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing the script kubectl: %w", err)
	}
	if err := os.WriteFile(s.kubectl, []byte(kubectlScript(s.dir, s.cluster.KubectlPath())), 0o755); err != nil {
		return fmt.Errorf("writing the script kubectl: %w", err)
	}
	s.client, err = system.NewClient(s.cluster.AdminConfig())
	return err
}

// kubectlScript runs kubectl where it finds the plugin.
func kubectlScript(dir, kubectl string) string {
	return fmt.Sprintf("#!/bin/sh\n# kubectl of the control plane's version, with the plugin `kubectl course`.\n"+
		"PATH=%q:\"$PATH\" exec %q \"$@\"\n", filepath.Join(dir, "bin"), kubectl)
}

func (s *session) startSystem(ctx context.Context) (err error) {
	// The control plane is a new one: what an earlier run left waiting on disk does not belong to it.
	for _, name := range []string{system.WebhookServer + ".log", system.ControllerManager + ".log", "inbox-0"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("removing the remains of an earlier run: %w", err)
		}
	}
	s.system, err = system.Start(ctx, s.cluster, system.Options{Dir: s.dir, Bin: filepath.Join(s.dir, "bin")})
	return err
}

// startNode gives the cluster a node to which the pods of both programs are bound, so that logs can be read and inboxes
// asked as in any other cluster. Other pods stay pending: nothing runs them.
func (s *session) startNode(ctx context.Context) error {
	if err := s.system.Scale(ctx); err != nil {
		return err
	}
	s.node = system.NewNode(s.system)
	ctx, s.leave = context.WithCancel(ctx)
	return s.node.Register(ctx, s.client, true)
}

func (s *session) applySamples(ctx context.Context) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := system.CreateToken(ctx, s.client, sampleName, "webhook-token"); err != nil {
		return err
	}
	if _, err := s.cluster.Kubectl(ctx, "apply", "-k", filepath.Join(root, "config", "samples")); err != nil {
		return err
	}
	for _, what := range []string{"institutions", "completionpolicies"} {
		_, err := s.cluster.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=30s", "--all", what, "-n", sampleName)
		if err != nil {
			return errors.Join(err, errors.New(s.system.ControllerManager.LogTail()))
		}
	}
	key := client.ObjectKey{Namespace: sampleName, Name: sampleName}
	var institution v1alpha1.Institution
	if err := s.client.Get(ctx, key, &institution); err != nil {
		return err
	}
	var secret corev1.Secret
	key.Name = string(institution.Spec.Authentication.TokenSecretRefs[0].Name)
	if err := s.client.Get(ctx, key, &secret); err != nil {
		return err
	}
	s.url = s.system.WebhookURL(institution.Spec.ID, string(secret.Data[v1alpha1.SecretKeyToken]))
	return writePrivate(s.urlFile, []byte(s.url+"\n"))
}

// stop ends what was started and removes what leads to it. The logs of the programs stay.
func (s *session) stop() error {
	var failures []error
	if s.node != nil {
		s.leave()
		s.node.Close()
	}
	if s.system != nil {
		failures = append(failures, s.system.Stop())
	}
	if s.cluster != nil {
		failures = append(failures, s.cluster.Stop())
	}
	for _, path := range []string{s.urlFile, s.kubeconfig} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, s.lock.Close())...)
}

// lockFolder keeps a second run out of the folder, where it would replace the programs and remove the credentials of
// the first. The lock ends with the process, also with one that is killed.
func lockFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = errors.New("make run or make demo is running in this checkout already: use it, or stop it with ctrl-C")
	case err != nil:
		err = fmt.Errorf("locking %s: %w", dir, err)
	default:
		return lock, nil
	}
	return nil, errors.Join(err, lock.Close())
}

// watch looks after what ends by itself.
func (s *session) watch(ctx context.Context, fail context.CancelCauseFunc) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-s.system.WebhookServer.Ended():
			s.ended(ctx, s.system.WebhookServer, err, fail)
		case err := <-s.system.ControllerManager.Ended():
			s.ended(ctx, s.system.ControllerManager, err, fail)
		case <-tick.C:
			for _, part := range []cluster.Part{cluster.Etcd, cluster.APIServer, cluster.ControllerManager} {
				if s.cluster.PID(part) == 0 {
					fail(fmt.Errorf("%s %w; the end of its log:\n%s", part, system.ErrEnded,
						cluster.Tail(s.cluster.Log(part), 20)))
				}
			}
		}
	}
}

// ended starts a program again after a while, as a cluster does, so that one can kill it and see what comes of it. A
// program that cannot be started, or that ends in a demonstration, ends everything.
func (s *session) ended(ctx context.Context, program *system.Program, err error, fail context.CancelCauseFunc) {
	if s.demo {
		fail(err)
		return
	}
	wait := min(restartWait<<min(s.restarts[program.Name], 5), maxRestartWait)
	s.restarts[program.Name]++
	say("%s was killed or ended by itself, restarting it in %s (log: %s)", program.Name, wait, program.Log)
	select {
	case <-ctx.Done():
		return
	case <-time.After(wait):
	}
	if err := program.Launch(); err != nil {
		fail(err)
	}
}

// writePrivate writes a file that only its owner may read, also where an older one was more open.
func writePrivate(path string, content []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return os.WriteFile(path, content, 0o600)
}
