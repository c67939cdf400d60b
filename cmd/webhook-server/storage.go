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
		"The total time for the API requests of one delivery. A delivery that takes longer goes to the inbox.")
	flags.IntVar(&s.APIConcurrency, "api-concurrency", 64,
		"The maximum number of deliveries to store in the API concurrently. Further ones go to the inbox.")
	flags.Int64Var(&s.InboxMaxBytes, "inbox-max-bytes", 1<<30,
		"The maximum size of the data in the inbox file, in bytes. The volume should be at least 25% larger.")
	flags.DurationVar(&s.DeadLetterRetention, "dead-letter-retention", 30*24*time.Hour,
		"How long the inbox keeps dead letters, the deliveries that the API rejects for good. 0 means forever.")
	flags.DurationVar(&s.SnapshotMaxAge, "snapshot-max-age", 24*time.Hour,
		"The maximum age of the institutions in the inbox for a start while the API is unavailable. 0 means any age.")
	bindInbox(flags, &s.InboxFile, &s.InboxSocket)
}

// gcPercent is how much garbage may gather, in percent of what lives. Little does, so that with the usual 100 a third
// of the time would go into collecting; the target of the memory is what bounds it.
const gcPercent = 400

// bindMemory declares the flag of the memory. What it returns is called once the flags are parsed.
func bindMemory(flags *flag.FlagSet) (limit func()) {
	target := flags.Int64("memory-target", 48<<20, "The soft memory limit in bytes, kept by collecting garbage in time. "+
		"The environment variables GOMEMLIMIT and GOGC take precedence.")
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
		"The file that keeps deliveries until the API accepts them. Its directory must exist.")
	flags.StringVar(socket, "inbox-socket", "",
		"The socket for webhook-server inbox. If empty, inbox.sock next to the inbox file.")
}

// socketOf returns the path of the socket, which is next to the file unless it was named.
func socketOf(socket, file string) string {
	return cmp.Or(socket, filepath.Join(filepath.Dir(file), "inbox.sock"))
}
