// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// markerName marks a folder as ours; it is also the lock that tells a running control plane from the remains of a
// killed one.
const markerName = ".controlplane"

const auditLogName = "audit.log"

// state is the folder with everything one control plane writes. Mode 0700: it holds private keys.
type state struct {
	dir  string
	lock *os.File
}

// takeOverTimeout is how long the reaper of a killed cluster may need to remove a folder that is wanted again.
const takeOverTimeout = 10 * time.Second

// newState makes the folder, or takes over the remains of a cluster that was killed. It never touches a folder
// that it did not make, unless it is empty.
func newState(ctx context.Context, dir string) (s *state, err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "controlplane-"); err != nil {
			return nil, fmt.Errorf("creating the state folder: %w", err)
		}
	}
	s = &state{dir: dir}
	var final error
	err = poll(ctx, takeOverTimeout, 50*time.Millisecond, func(context.Context) error {
		err := s.take()
		if errors.Is(err, errLocked) {
			return fmt.Errorf("state folder %s is in use by a running control plane, stop it or name another one: %w", dir, err)
		}
		final = err
		return nil
	})
	if err = errors.Join(err, final); err != nil {
		return nil, err
	}
	for _, sub := range []string{"logs", "pki", "etcd"} {
		if err := os.Mkdir(s.path(sub), 0o700); err != nil {
			return nil, fmt.Errorf("creating the state folder: %w", err)
		}
	}
	return s, nil
}

// take locks the folder and empties it, or returns errLocked.
func (s *state) take() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("creating the state folder: %w", err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("reading the state folder: %w", err)
	}
	if _, err := os.Stat(s.path(markerName)); err != nil && len(entries) > 0 {
		return fmt.Errorf("state folder %s is not empty and not made by this program: name another one", s.dir)
	}
	if s.lock, err = lockNow(s.path(markerName)); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o700); err != nil {
		return fmt.Errorf("protecting the state folder: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == markerName {
			continue
		}
		if err := os.RemoveAll(s.path(entry.Name())); err != nil {
			return fmt.Errorf("removing the remains of a killed control plane: %w", err)
		}
	}
	return nil
}

func (s *state) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *state) logPath(part Part) string { return s.path("logs", string(part)+".log") }

func (s *state) write(content []byte, elem ...string) error {
	if err := os.WriteFile(s.path(elem...), content, 0o600); err != nil {
		return fmt.Errorf("writing the state folder: %w", err)
	}
	return nil
}

// auditPolicy logs every request once, at its end. Bodies that hold credentials are never logged.
func auditPolicy(level AuditLevel) []byte {
	return []byte(`apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources:
  - {group: "", resources: [secrets, serviceaccounts/token]}
  - {group: authentication.k8s.io, resources: [tokenreviews]}
- level: ` + string(level) + "\n")
}

// Tail returns the last lines of a log, for people; what cannot be read says so.
func Tail(path string, lines int) string {
	const limit = 64 << 10
	file, err := os.Open(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	buffer := make([]byte, min(info.Size(), limit))
	n, err := file.ReadAt(buffer, info.Size()-int64(len(buffer)))
	if n == 0 {
		return fmt.Sprintf("(empty log: %v)", err)
	}
	all := strings.Split(strings.TrimSpace(string(buffer[:n])), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
