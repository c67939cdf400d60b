// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// Namespace is where the operator is installed.
const Namespace = "completion-system"

// Options of a System.
type Options struct {
	// Dir gets the logs of the programs and, with mode 0600, their kubeconfigs. Made when it is missing.
	Dir string
	// Root is the checkout whose manifests and configuration are installed, that of this program when it is empty.
	Root string
	// Bin is the folder with the programs, see Build.
	Bin string
	// Args are further arguments for both programs.
	Args []string
	// ClockDir is where a file with the name of a program sets its clock, see internal/clockoffset. For programs that
	// were built for it.
	ClockDir string
	// InboxDir has the folders of the inboxes, Dir when it is empty. What is there is kept.
	InboxDir string
	// WebhookServerArgs are further arguments for the webhook servers alone.
	WebhookServerArgs []string
	// ControllerManagerArgs are further arguments for the controller-manager alone.
	ControllerManagerArgs []string
	// Replicas is how many webhook servers there are, 1 when it is 0.
	Replicas int
}

// System is an installed operator with both programs running.
type System struct {
	// Cluster is where it is installed.
	Cluster *cluster.Cluster
	// WebhookServer, the first replica, and ControllerManager are the running programs.
	WebhookServer, ControllerManager *Program
	// Replicas are all webhook servers.
	Replicas []Replica
	// URL is the address of the first webhook server, without a path.
	URL string
	// ControllerManagerMetrics and WebhookServerMetrics are the URLs of the metrics of the programs.
	ControllerManagerMetrics, WebhookServerMetrics string
}

// inboxFile is the name of the file of an inbox.
const inboxFile = "inbox.db"

// InboxPath returns the path of the file of a replica's inbox, in a folder of its own.
func InboxPath(dir string, replica int) string {
	return filepath.Join(dir, fmt.Sprintf("inbox-%d", replica), inboxFile)
}

// Replica is one of several webhook servers.
type Replica struct {
	*Program
	// URL is its address without a path, Metrics the URL of its metrics.
	URL, Metrics string
	// Inbox is the file of its inbox, and Socket what the command inbox speaks to.
	Inbox, Socket string
}

// Start installs config/default and starts both programs. The workloads stay without pods, since the control plane
// has no nodes; the processes stand in for them. It returns once both are ready.
func Start(ctx context.Context, c *cluster.Cluster, o Options) (*System, error) {
	if err := Install(ctx, c); err != nil {
		return nil, err
	}
	return StartInstalled(ctx, c, o)
}

// StartInstalled is Start where somebody has installed the operator.
func StartInstalled(ctx context.Context, c *cluster.Cluster, o Options) (*System, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the logs: %w", err)
	}
	s, err := prepare(ctx, c, o)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Install applies config/default as a person would, and waits until the API serves the kinds.
func Install(ctx context.Context, c *cluster.Cluster) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "apply", "-k", filepath.Join(root, "config", "default")); err != nil {
		return fmt.Errorf("installing config/default: %w", err)
	}
	return c.AwaitKinds(ctx)
}

func prepare(ctx context.Context, c *cluster.Cluster, o Options) (*System, error) {
	o.Replicas = max(o.Replicas, 1)
	if o.Root == "" {
		root, err := cluster.RepositoryRoot()
		if err != nil {
			return nil, err
		}
		o.Root = root
	}
	addresses, err := freeAddresses(3*o.Replicas + 2)
	if err != nil {
		return nil, err
	}
	s := &System{Cluster: c}
	for i := range o.Replicas {
		server, health, metrics := addresses[3*i], addresses[3*i+1], addresses[3*i+2]
		inbox := InboxPath(cmp.Or(o.InboxDir, o.Dir), i)
		if err := os.MkdirAll(filepath.Dir(inbox), 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of an inbox: %w", err)
		}
		socket := filepath.Join(o.Dir, fmt.Sprintf("inbox-%d.sock", i))
		s.Replicas = append(s.Replicas, Replica{
			Program: newProgram(o, WebhookServer, i, health, append([]string{
				"--listen-address=" + server, "--health-address=" + health, "--metrics-address=" + metrics,
				"--inbox-file=" + inbox, "--inbox-socket=" + socket, "--stranger-records-per-minute=0",
			}, o.WebhookServerArgs...)...),
			URL:     "http://" + server,
			Metrics: "https://" + metrics + "/metrics",
			Inbox:   inbox,
			Socket:  socket,
		})
	}
	s.WebhookServer, s.URL, s.WebhookServerMetrics = s.Replicas[0].Program, s.Replicas[0].URL, s.Replicas[0].Metrics
	managerHealth, managerMetrics := addresses[3*o.Replicas], addresses[3*o.Replicas+1]
	s.ControllerManagerMetrics = "https://" + managerMetrics + "/metrics"
	s.ControllerManager = newProgram(o, ControllerManager, 0, managerHealth, append([]string{
		"--health-address=" + managerHealth, "--metrics-address=" + managerMetrics,
		"--leader-elect", "--leader-election-namespace=" + Namespace,
	}, append(configuration(o.Root), o.ControllerManagerArgs...)...)...)
	for _, program := range s.Programs() {
		if err := c.ServiceAccountKubeconfig(ctx, Namespace, program.account, program.kubeconfig); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// start launches all programs at once, since none needs another.
func (s *System) start(ctx context.Context) error {
	for _, program := range s.Programs() {
		if err := program.Launch(); err != nil {
			return err
		}
	}
	for _, program := range s.Programs() {
		if err := program.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Programs returns all programs.
func (s *System) Programs() []*Program {
	var programs []*Program
	for _, replica := range s.Replicas {
		programs = append(programs, replica.Program)
	}
	return append(programs, s.ControllerManager)
}

// Stop ends all programs in an orderly way and removes their credentials. The cluster stays up.
func (s *System) Stop() error {
	var failures []error
	for _, program := range s.Programs() {
		failures = append(failures, program.Stop())
		if err := os.Remove(program.kubeconfig); err != nil && !errors.Is(err, os.ErrNotExist) {
			failures = append(failures, fmt.Errorf("removing the credentials of %s: %w", program.Name, err))
		}
	}
	return errors.Join(failures...)
}

// freeAddresses returns ports on loopback that nobody uses. They are all held until each is known, so that they differ.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
