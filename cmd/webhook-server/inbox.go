// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

const inboxUsage = `Usage: webhook-server inbox <command> [flags] [record...]

Manages the deliveries that wait to be stored in the API. Talks to the running server through its socket. With --file,
opens an inbox file itself, such as one on the volume of a removed replica; no server may have it open.

Commands:
  status                show the state of the inbox
  list                  list records, oldest first (--state waiting, dead or all; at most --limit)
  show RECORD...        show records; --with-data includes the deliveries, which contain personal data
  retry RECORD...       retry dead letters (--all: every one)
  drop RECORD...        delete records for good
  drain                 retry everything now and wait until nothing is waiting any more, at most --timeout. Dead letters
                        stay. With --file, uses the kubeconfig or the ServiceAccount of the pod, and fails if dead
                        letters remain, unless --allow-dead-letters is given.
  set-aside             rename the damaged inbox of --file, so that a server can start with a new one

With --json, every command prints JSON: status and drain the state of the inbox, the others one line per record with its
outcome, even if there is no such record.

Exit codes: 0 success, 1 failure, 2 invalid usage, 3 records are still waiting after drain, 4 only dead letters remain
after drain.

Flags:
`

// Exit codes of the command inbox.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitLeft
	exitDead
)

var (
	errUsage = errors.New("invalid usage")
	errLeft  = errors.New("records are still waiting in the inbox")
	errDead  = errors.New("dead letters are still in the inbox")
)

// inboxCommand is one call of the command inbox.
type inboxCommand struct {
	file, socket string
	state        string
	limit        int
	all          bool
	allowDead    bool
	withData     bool
	json         bool
	timeout      time.Duration
	apiTimeout   time.Duration
	concurrency  int

	out    io.Writer
	errOut io.Writer
	clock  clock.WithTicker
	client *inboxClient
}

// runInbox runs the command inbox and returns its exit code.
func runInbox(ctx context.Context, args []string, out, errOut io.Writer) int {
	c := &inboxCommand{out: out, errOut: errOut, clock: clock.RealClock{}}
	flags := flag.NewFlagSet("inbox", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Usage = func() {
		fmt.Fprint(errOut, inboxUsage)
		flags.PrintDefaults()
	}
	c.bind(flags)
	limitMemory := bindMemory(flags)
	if len(args) == 0 {
		flags.Usage()
		return exitUsage
	}
	command := args[0]
	switch err := flags.Parse(args[1:]); {
	case command == "help" || command == "-h" || command == "--help":
		flags.Usage()
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	}
	// As kubectl exec runs it, it shares the memory of the pod with the server.
	limitMemory()
	err := c.run(ctx, command, flags.Args())
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(errOut, "webhook-server inbox: %v\n", err)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(errOut, "See webhook-server inbox help.")
		return exitUsage
	case errors.Is(err, errLeft):
		return exitLeft
	case errors.Is(err, errDead):
		return exitDead
	}
	return exitFailed
}

func (c *inboxCommand) bind(flags *flag.FlagSet) {
	flags.StringVar(&c.file, "file", "", "The inbox file to open, instead of asking the running server.")
	flags.StringVar(&c.socket, "inbox-socket", socketOf("", defaultInbox), "The socket of the running server.")
	flags.StringVar(&c.state, "state", "all", "The records to list: waiting, dead or all.")
	flags.IntVar(&c.limit, "limit", 0, "The maximum number of records to list. 0 means all.")
	flags.BoolVar(&c.all, "all", false, "Retry every dead letter.")
	flags.BoolVar(&c.allowDead, "allow-dead-letters", false, "Let drain with --file succeed although dead letters remain.")
	flags.BoolVar(&c.withData, "with-data", false, "Include the delivery, which contains personal data.")
	flags.BoolVar(&c.json, "json", false, "Print JSON, one record per line.")
	flags.DurationVar(&c.timeout, "timeout", time.Minute, "How long drain waits until nothing is waiting any more.")
	flags.DurationVar(&c.apiTimeout, "api-timeout", 10*time.Second,
		"The total time for the API requests of one delivery, for drain with --file.")
	flags.IntVar(&c.concurrency, "api-concurrency", 16,
		"The number of deliveries to store concurrently, for drain with --file.")
	bindKubeconfig(flags)
}

// run does what a command asks for.
func (c *inboxCommand) run(ctx context.Context, command string, args []string) error {
	do, takes := map[string]func(context.Context, []uint64) error{
		"status": c.status, "list": c.list, "show": c.show, "retry": c.retry, "drop": c.drop, "drain": c.drain,
	}[command], command == "show" || command == "retry" || command == "drop"
	if do == nil && command != "set-aside" {
		return fmt.Errorf("%w: unknown command %q", errUsage, command)
	}
	if len(args) > 0 && !takes {
		return fmt.Errorf("%w: %s takes no records", errUsage, command)
	}
	var records []uint64
	for _, arg := range args {
		record, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %q is not a record number (flags come before records)", errUsage, arg)
		}
		records = append(records, record)
	}
	if do == nil {
		return c.setAside()
	}
	stop, err := c.connect(ctx, command == "drain")
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, records), stop())
}

func (c *inboxCommand) status(ctx context.Context, _ []uint64) error {
	var s inboxapi.Status
	path := "/status"
	if c.json {
		path += "?namespaces=true"
	}
	if err := c.client.get(ctx, path, &s); err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.out).Encode(s)
	}
	oldest := "-"
	if s.Oldest != nil {
		oldest = s.Oldest.Format(time.RFC3339)
	}
	fmt.Fprintf(c.out, "waiting:       %d\ndead letters:  %d\noldest:        %s\nin use:        %d of %d bytes\n",
		s.Records, s.DeadLetters, oldest, s.Bytes, s.MaxBytes)
	if s.APIAway {
		fmt.Fprintln(c.out, "API:           away")
	}
	if s.Failure != "" {
		fmt.Fprintf(c.out, "failing:       %s\n", s.Failure)
	}
	return nil
}

// setAside renames a damaged file: the image has no other program that could.
func (c *inboxCommand) setAside() error {
	if c.file == "" {
		return fmt.Errorf("%w: set-aside needs --file", errUsage)
	}
	aside, err := inbox.SetAside(c.file, c.clock.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "renamed the damaged inbox to %s: keep it, it may contain acknowledged deliveries. "+
		"A server can now start with a new inbox.\n", aside)
	return nil
}

// drain has everything tried and waits until nothing waits any more.
func (c *inboxCommand) drain(ctx context.Context, _ []uint64) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.client.do(ctx, http.MethodPost, "/drain", nil); err != nil {
		return err
	}
	tick := c.clock.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var s inboxapi.Status
	for {
		if err := c.client.get(ctx, "/status", &s); err != nil && ctx.Err() == nil {
			return err
		}
		if s.Records == 0 && ctx.Err() == nil {
			if err := c.drained(&s); err != nil {
				return err
			}
			if s.DeadLetters > 0 && c.file != "" && !c.allowDead {
				// Whoever deletes the file next deletes them.
				return fmt.Errorf("%w and will not be stored: list, retry or drop them", errDead)
			}
			return nil
		}
		select {
		case <-tick.C():
		case <-ctx.Done():
			if c.json {
				if err := c.drained(&s); err != nil {
					return err
				}
			}
			return fmt.Errorf("%w after %s: %d waiting (list shows why), %d dead letters", errLeft, c.timeout,
				s.Records, s.DeadLetters)
		}
	}
}

// drained prints what drain has left.
func (c *inboxCommand) drained(left *inboxapi.Status) error {
	if c.json {
		return json.NewEncoder(c.out).Encode(left)
	}
	_, err := fmt.Fprintf(c.out, "0 records waiting, %d dead letters left\n", left.DeadLetters)
	return err
}
