// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

const (
	inboxFlag    = "inbox-file"
	defaultInbox = "/var/lib/completion-webhook-server/inbox.db"
)

// bindStorage declares the flags that say where deliveries go.
func bindStorage(flags *flag.FlagSet, s *webhookserver.Storage) {
	flags.DurationVar(&s.APITimeout, "api-timeout", 2*time.Second,
		"How long all requests to the API for one delivery may take together. What takes longer goes to the inbox.")
	flags.IntVar(&s.APIConcurrency, "api-concurrency", 64,
		"How many deliveries may be with the API at a time. What is more goes to the inbox.")
	flags.Int64Var(&s.InboxMaxBytes, "inbox-max-bytes", 1<<30,
		"How much of its file the inbox may use, in bytes. The volume should have a quarter more.")
	flags.DurationVar(&s.DeadLetterRetention, "dead-letter-retention", 30*24*time.Hour,
		"How long the inbox keeps what the API refuses for good and nobody decides about. 0 is for ever.")
	flags.DurationVar(&s.SnapshotMaxAge, "snapshot-max-age", 24*time.Hour,
		"How old what the inbox knows of the institutions may be for a start while the API is away. 0 is any age.")
	bindInbox(flags, &s.InboxFile, &s.InboxSocket)
}

// gcPercent is how much garbage may gather, in percent of what lives. Little does, so that with the usual 100 a third
// of the time would go into collecting; the target of the memory is what bounds it.
const gcPercent = 400

// bindMemory declares the flag of the memory. What it returns is called once the flags are parsed.
func bindMemory(flags *flag.FlagSet) (limit func()) {
	target := flags.Int64("memory-target", 48<<20, "How much memory the program tries to make do with, in bytes, by "+
		"collecting its garbage in time. The environment variables GOMEMLIMIT and GOGC go before it.")
	return func() {
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(*target)
		}
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(gcPercent)
		}
	}
}

func bindInbox(flags *flag.FlagSet, file, socket *string) {
	flags.StringVar(file, inboxFlag, defaultInbox,
		"The file that keeps deliveries until the API takes them. Its folder must exist.")
	flags.StringVar(socket, "inbox-socket", "",
		"The socket for the command inbox. Empty: inbox.sock next to the file.")
}

// socketOf returns the path of the socket, which is next to the file unless it was named.
func socketOf(socket, file string) string {
	return cmp.Or(socket, filepath.Join(filepath.Dir(file), "inbox.sock"))
}
