// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childEnv names the role in which this program runs itself, pathEnv its file.
const (
	childEnv = "INBOX_TEST_CHILD"
	pathEnv  = "INBOX_TEST_PATH"
)

var children = map[string]func() int{"write": writeForEver, "limited": writeLimited, "use": useFile}

func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role, pathEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeForEver puts records from many goroutines and says which are kept, until it is killed.
func writeForEver() int {
	i, err := Open(os.Getenv(pathEnv), Options{MaxBytes: maxBytes})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	for s := range 16 {
		group.Go(func() {
			for n := range 1 << 20 {
				record := newRecord(s<<20 + n)
				if err := i.Put(context.Background(), record); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				mu.Lock()
				fmt.Fprintln(os.Stdout, record.DeliveryID)
				mu.Unlock()
				if n%3 == 0 {
					// Room for the next ones, so that pages are used again.
					_ = i.Bury(context.Background(), record)
				}
			}
		})
	}
	group.Wait()
	return 1
}

// Whatever was said to be kept is there after kill -9, and the file is whole.
func TestNothingKeptIsLostByAKill(t *testing.T) {
	path := newPath(t)
	kept := map[string]bool{}
	for round := range 5 {
		cmd := child(t, "write", path)
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		for n := 0; lines.Scan(); n++ {
			kept[fmt.Sprint(round, " ", lines.Text())] = true
			if n == 300+217*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the writer ended with %v", err)
		}
		i := open(t, path)
		found := map[string]int{}
		var seqs []uint64
		for _, record := range append(all(t, i, Waiting), all(t, i, Dead)...) {
			found[fmt.Sprint(round, " ", record.DeliveryID)]++
			seqs = append(seqs, record.Seq)
		}
		for id := range kept {
			if found[id] != 1 {
				t.Errorf("%s is there %d times", id, found[id])
			}
		}
		if err := i.Drop(t.Context(), seqs...); err != nil {
			t.Fatal(err)
		}
		clear(kept)
		closeInbox(t, i)
	}
}

// writeLimited fills a disk: files may not grow beyond a limit, and then they may.
func writeLimited() int {
	if err := tryLimited(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func tryLimited() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	i, err := Open(os.Getenv(pathEnv), Options{MaxBytes: maxBytes})
	if err != nil {
		return err
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	// Less than the file grows to at its first growth.
	limit := syscall.Rlimit{Cur: 10 << 20, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	kept, err := putUntilItFails(ctx, i)
	if !errors.Is(err, syscall.EFBIG) && !strings.Contains(err.Error(), "file too large") {
		return fmt.Errorf("the full disk gave: %w", err)
	}
	if i.Stats().Failure == nil {
		return errors.New("the inbox does not say that it fails")
	}
	if err := isThere(i, kept); err != nil {
		return fmt.Errorf("while the disk is full: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	// It notices by itself.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i.Stats().Failure != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still failing after there is room again: %w", i.Stats().Failure)
		}
	}
	record := newRecord(1)
	if err := i.Put(ctx, record); err != nil {
		return fmt.Errorf("after there is room again: %w", err)
	}
	kept = append(kept, record.Seq)
	if err := isThere(i, kept); err != nil {
		return err
	}
	return i.Close()
}

func putUntilItFails(ctx context.Context, i *Inbox) ([]uint64, error) {
	var kept []uint64
	for n := 0; ; n++ {
		record := newRecord(n)
		record.Data = make([]byte, 64<<10)
		if err := i.Put(ctx, record); err != nil {
			return kept, err
		}
		kept = append(kept, record.Seq)
	}
}

func isThere(i *Inbox, seqs []uint64) error {
	for _, seq := range seqs {
		if _, _, err := i.Get(seq); err != nil {
			return err
		}
	}
	return nil
}

func TestAFullDiskIsAnErrorUntilThereIsRoom(t *testing.T) {
	path := newPath(t)
	if err := child(t, "limited", path).Run(); err != nil {
		t.Fatal(err)
	}
	if got := len(all(t, open(t, path), Waiting)); got < 50 {
		t.Errorf("%d records are left", got)
	}
}
