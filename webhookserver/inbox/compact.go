// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox/boltfile"
)

// When the file is written anew. bbolt leaves what was removed in the pages that it uses again some time, and records
// are personal data.
const (
	// maxCompacted is up to how many bytes may be left in the inbox, so that it takes a moment only.
	maxCompacted = 4 << 20
	// quietTime is how long nothing may have been written before, and compactInterval how long the file stays as it is
	// where something is left in it.
	quietTime       = time.Second
	compactInterval = time.Minute
	// copyBytes is how much is copied in one transaction.
	copyBytes = 1 << 20
)

// compacting is the path of the file that is to take the inbox's place.
func compacting(path string) string { return path + ".compacting" }

// removeCompacting removes what a process left that ended while it wrote the file anew. The inbox itself is whole.
func removeCompacting(path string) error {
	if err := os.Remove(compacting(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mayCompact tells whether the file has what was removed and little else.
func (i *Inbox) mayCompact() bool {
	if !i.removed {
		return false
	}
	var left int64
	for _, bytes := range i.counted.shares {
		left += bytes
	}
	return left <= maxCompacted
}

// compactWhenQuiet writes the file anew where nobody waits for it.
func (i *Inbox) compactWhenQuiet() {
	now := i.options.Clock.Now()
	left := i.counted.records + i.counted.dead
	if now.Sub(i.lastBatch) < quietTime || left > 0 && now.Sub(i.compacted) < compactInterval {
		return
	}
	i.compacted = now
	i.began.Store(int64(i.options.Clock.Since(i.opened)) | 1)
	defer i.began.Store(0)
	err := boltfile.Guard(i.compact)
	if err == nil {
		err = boltfile.Guard(func() error { return i.db.View(func(tx *bbolt.Tx) error { return i.publish(tx, nil) }) })
	}
	if err != nil {
		_ = i.failed(fmt.Errorf("writing the remaining records to a new file: %w", err))
	}
}

// compact writes what the inbox has into a new file, which takes the place of the old one. At any instant there is a
// whole inbox under the path, locked by this process.
func (i *Inbox) compact() (err error) {
	i.opening.Lock()
	defer i.opening.Unlock()
	path := compacting(i.path)
	defer func() {
		if err != nil {
			err = errors.Join(err, removeCompacting(i.path))
		}
	}()
	if err := errors.Join(removeCompacting(i.path), i.copyTo(path)); err != nil {
		return err
	}
	db, found, err := i.openAt(path, false)
	if err != nil {
		return err
	}
	if err := os.Rename(path, i.path); err != nil {
		return errors.Join(err, db.Close())
	}
	old := i.db
	// The number of the newest record may be of one that has been removed.
	found.lastSeq = max(found.lastSeq, i.counted.lastSeq)
	i.db, i.removed = db, false
	i.recount(found)
	return errors.Join(syncDir(filepath.Dir(i.path)), old.Close())
}

func (i *Inbox) copyTo(path string) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	to, err := bbolt.Open(path, fileMode, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := bbolt.Compact(to, i.db, copyBytes); err != nil {
		return err
	}
	return to.Sync()
}
