// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox/boltfile"
)

// ErrUsable says that an inbox is whole, so that there is no reason to put it away.
var ErrUsable = errors.New("the inbox is not damaged")

// SetAside gives a file that Open refuses for good (ErrCorrupt, ErrForeign, or because it cannot be read) another name
// in its folder, made of the time, and returns that. A server then starts with a new inbox. It is ErrUsable where the
// file is whole, ErrNewer where a later version can use it, and ErrLocked where another process has it open: what is
// in the file would not be found any more. No other file is written over.
func SetAside(path string, now time.Time) (aside string, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("setting the inbox aside: %w", err)
	}
	// The lock is held until the file has its new name, so that no server begins to use it meanwhile.
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := boltfile.Lock(file, 0); err != nil {
		return "", fmt.Errorf("setting the inbox %s aside: %w: stop it first", path, err)
	}
	var found contents
	reason := boltfile.Guard(func() error { return boltfile.Verify(file, found.visit) })
	if reason == nil {
		reason = found.complete()
	}
	switch {
	case reason == nil:
		return "", fmt.Errorf("setting the inbox %s aside: %w: a server can start with it, or drain it with webhook-server "+
			"inbox drain",
			path, ErrUsable)
	case errors.Is(reason, ErrNewer):
		return "", fmt.Errorf("setting the inbox %s aside: %w", path, advise(reason))
	}
	aside = path + ".set-aside-" + now.UTC().Format("20060102T150405Z")
	// A link is made only where nothing has the name, which a rename does not promise.
	if err := os.Link(path, aside); err != nil {
		return "", fmt.Errorf("setting the inbox aside: %w", err)
	}
	if err := errors.Join(os.Remove(path), syncDir(filepath.Dir(path))); err != nil {
		return "", fmt.Errorf("setting the inbox %s aside as %s: %w", path, aside, err)
	}
	return aside, nil
}
