// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The messages of the starter, one JSON object a line; hack/controlplane/session.go is their source.
type (
	readyMessage struct {
		Ready      bool              `json:"ready"`
		Server     string            `json:"server"`
		Etcd       string            `json:"etcd"`
		Kubeconfig string            `json:"kubeconfig"`
		Kubectl    string            `json:"kubectl"`
		AuditLog   string            `json:"auditLog"`
		StateDir   string            `json:"stateDir"`
		Parts      map[Part]partInfo `json:"parts"`
	}
	partInfo struct {
		PID   int    `json:"pid"`
		Log   string `json:"log"`
		State string `json:"state"`
	}
	command struct {
		ID   int64  `json:"id"`
		Op   string `json:"op"`
		Part Part   `json:"part,omitempty"`
	}
	answer struct {
		ID    int64             `json:"id"`
		OK    bool              `json:"ok"`
		Error string            `json:"error"`
		Parts map[Part]partInfo `json:"parts"`
	}
)

// maxLine bounds one line of the starter, in bytes; an error in it may quote the tail of a log.
const maxLine = 4 << 20

var errEnded = errors.New("the starter has ended (its stderr says why)")

// link talks with the starter. A caller that gives up waiting leaves an answer behind; the id of a command keeps the
// next caller from taking it for its own.
type link struct {
	stdin   io.WriteCloser
	isReady chan readyMessage
	// ended is closed at the end of the starter's stdout.
	ended chan struct{}

	// mu guards what follows, and writing to stdin.
	mu      sync.Mutex
	lastID  int64
	waiting map[int64]chan answer
}

func newLink(stdin io.WriteCloser, stdout io.ReadCloser) *link {
	l := &link{
		stdin: stdin, isReady: make(chan readyMessage, 1), ended: make(chan struct{}), waiting: map[int64]chan answer{},
	}
	go l.read(stdout)
	return l
}

func (l *link) read(stdout io.ReadCloser) {
	defer close(l.ended)
	defer stdout.Close()
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxLine)
	var ready readyMessage
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &ready) != nil || !ready.Ready {
		return
	}
	l.isReady <- ready
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return
		}
		l.mu.Lock()
		if waiting, ok := l.waiting[a.ID]; ok {
			waiting <- a
			delete(l.waiting, a.ID)
		}
		l.mu.Unlock()
	}
}

func (l *link) ready(ctx context.Context) (readyMessage, error) {
	select {
	case ready := <-l.isReady:
		return ready, nil
	case <-l.ended:
		return readyMessage{}, errEnded
	case <-ctx.Done():
		return readyMessage{}, ctx.Err()
	}
}

func (l *link) do(ctx context.Context, op string, part Part) (map[Part]partInfo, error) {
	got := make(chan answer, 1)
	if err := l.send(command{Op: op, Part: part}, got); err != nil {
		return nil, err
	}
	select {
	case a := <-got:
		if !a.OK {
			return nil, errors.New(a.Error)
		}
		return a.Parts, nil
	case <-l.ended:
		return nil, errEnded
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the starter: %w", ctx.Err())
	}
}

func (l *link) send(c command, got chan answer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastID++
	c.ID = l.lastID
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := l.stdin.Write(append(line, '\n')); err != nil {
		return errors.Join(errEnded, err)
	}
	l.waiting[c.ID] = got
	return nil
}

func (l *link) close() error { return l.stdin.Close() }
