// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// listenSocket opens a socket that only this program's user may use. One that a killed process left is replaced: the
// lock of the inbox says that no other process uses it.
func listenSocket(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != os.ModeSocket:
		return nil, fmt.Errorf("opening the socket of the inbox: %s exists and is not a socket", path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("opening the socket of the inbox: %w", err)
		}
	}
	// Nobody may connect before the mode is set: it is made in a folder of its own and moved.
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the inbox: %w", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the inbox: %w", err)
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the socket of the inbox: %w", err), listener.Close())
	}
	return listener, nil
}
