// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// readyMessage is the first line on stdout.
type readyMessage struct {
	Ready  bool   `json:"ready"`
	Server string `json:"server"`
	// Etcd takes clients with a certificate of pki/etcd-ca.crt in the state folder.
	Etcd       string `json:"etcd"`
	Kubeconfig string `json:"kubeconfig"`
	Kubectl    string `json:"kubectl"`
	// AuditLog is empty when auditing is off.
	AuditLog string              `json:"auditLog"`
	StateDir string              `json:"stateDir"`
	Parts    map[string]partInfo `json:"parts"`
}

// partInfo has a pid of 0 when the part does not run.
type partInfo struct {
	PID int    `json:"pid"`
	Log string `json:"log"`
	// State is running, paused or stopped.
	State string `json:"state"`
}

// command is one line on stdin. ID is repeated in the answer.
type command struct {
	ID   int64  `json:"id,omitempty"`
	Op   string `json:"op"`
	Part string `json:"part,omitempty"`
}

// answer is one line on stdout.
type answer struct {
	ID    int64               `json:"id,omitempty"`
	OK    bool                `json:"ok"`
	Error string              `json:"error,omitempty"`
	Parts map[string]partInfo `json:"parts,omitempty"`
}

// session is one `controlplane start`: it runs a plane for the process at the other end of stdin and stdout.
type session struct {
	stdout, stderr io.Writer
	// lines is nil in the foreground, where nothing is read.
	lines chan []byte
}

// maxQueued bounds the commands that wait while one is carried out.
const maxQueued = 128

// readCommands starts reading stdin. Its end cancels the returned context at once, also in the middle of a
// command or of a build: whoever held it is gone.
func (s *session) readCommands(ctx context.Context, stdin io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	s.lines = make(chan []byte, maxQueued)
	go func() {
		defer cancel()
		for scanner := bufio.NewScanner(stdin); scanner.Scan(); {
			select {
			case s.lines <- []byte(scanner.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx
}

// run returns once the control plane is stopped and removed: after the stop command, or when ctx ends.
func (s *session) run(ctx context.Context, release *release, o options) error {
	plane, err := startPlane(ctx, release, o, s.stderr)
	if err != nil {
		return err
	}
	err = s.say(readyMessage{
		Ready: true, Server: loopback(plane.endpoints.apiServer), Etcd: loopback(plane.endpoints.etcd),
		Kubeconfig: plane.state.path("kubeconfig"), Kubectl: release.path("kubectl"), AuditLog: plane.auditLog(), StateDir: plane.state.dir, Parts: plane.info(),
	})
	var stop *command
	if err == nil {
		stop, err = s.serve(ctx, plane)
	}
	err = errors.Join(err, plane.stop())
	if stop != nil {
		// Answered last: the answer says that nothing is left.
		err = errors.Join(err, s.say(answerTo(*stop, err, map[string]partInfo{})))
	}
	return err
}

// serve carries out commands until ctx ends or one says stop, which it returns.
func (s *session) serve(ctx context.Context, p *plane) (*command, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case line := <-s.lines:
			var c command
			err := json.Unmarshal(line, &c)
			if err != nil {
				err = fmt.Errorf("command is not a JSON object on one line: %w", err)
			} else if c.Op == "stop" && c.Part == "" {
				return &c, nil
			} else {
				err = p.carryOut(ctx, c)
			}
			if err := s.say(answerTo(c, err, p.info())); err != nil {
				return nil, err
			}
		}
	}
}

func (s *session) say(message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	// A reader that went away is no fault of ours; the end of stdin follows.
	if _, err := s.stdout.Write(append(line, '\n')); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("answering on stdout: %w", err)
	}
	return nil
}

func answerTo(c command, err error, parts map[string]partInfo) answer {
	if err != nil {
		return answer{ID: c.ID, Error: err.Error()}
	}
	return answer{ID: c.ID, OK: true, Parts: parts}
}

func (p *plane) carryOut(ctx context.Context, c command) error {
	switch c.Op {
	case "kill":
		return p.kill(c.Part)
	case "pause":
		return p.pause(ctx, c.Part)
	case "resume":
		return p.resume(c.Part)
	case "start":
		return p.start(ctx, c.Part)
	case "restart":
		return p.restart(ctx, c.Part)
	case "status":
		return nil
	default:
		return fmt.Errorf("unknown command %q with part %q: there are kill, pause, resume, start and restart with a part, "+
			"status and stop without", c.Op, c.Part)
	}
}

func (p *plane) auditLog() string {
	if p.options.auditLevel == "None" {
		return ""
	}
	return p.state.path("audit.log")
}

func (p *plane) info() map[string]partInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := map[string]partInfo{}
	for _, name := range partNames {
		info := partInfo{Log: p.state.logPath(name), State: "stopped"}
		if i := p.running[name]; i != nil {
			info.PID, info.State = i.process.pid(), "running"
			if i.paused {
				info.State = "paused"
			}
		}
		parts[name] = info
	}
	return parts
}
