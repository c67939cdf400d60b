// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
)

// Storage is where deliveries go.
type Storage struct {
	// APITimeout bounds all requests to the API for one delivery together. What takes longer goes to the inbox.
	APITimeout time.Duration
	// APIConcurrency is how many deliveries may be with the API at a time. What is more goes to the inbox.
	APIConcurrency int
	// InboxFile is the path of the inbox, whose folder must exist.
	InboxFile string
	// InboxMaxBytes bounds what the inbox may use of the file.
	InboxMaxBytes int64
	// DeadLetterRetention is how long dead letters are kept that nobody decides about; 0 is for ever.
	DeadLetterRetention time.Duration
	// SnapshotMaxAge is how old what the inbox knows of the Institutions may be for a server that starts while the API is
	// away; 0 is any age.
	SnapshotMaxAge time.Duration
	// InboxSocket is the path of the socket by which the inbox is administered.
	InboxSocket string
}

// intake is everything behind the handler: what knows the Institutions, and what puts deliveries where they are safe.
type intake struct {
	store        *store.Store
	institutions *institutionStore
	inbox        *inbox.Inbox
	socket       net.Listener
	admin        *http.Server
	path         string
}

// lockTimeout is how long a new process waits for the one that it replaces.
const lockTimeout = 10 * time.Second

// openIntake opens the inbox. Nothing runs yet.
func openIntake(options *Options, completions client.Client, reader client.Reader, informed watched) (*intake, error) {
	opened, err := inbox.Open(options.InboxFile, inbox.Options{
		MaxBytes: options.InboxMaxBytes, LockTimeout: lockTimeout, Clock: options.Clock,
	})
	if err != nil {
		return nil, err
	}
	i := &intake{inbox: opened, path: options.InboxSocket}
	if err := i.prepare(options, completions, reader, informed); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return i, nil
}

func (i *intake) prepare(options *Options, completions client.Client, reader client.Reader, informed watched) error {
	var err error
	i.store, err = store.New(store.Options{
		Log: options.Log, Clock: options.Clock, Inbox: i.inbox, Completions: completions,
		APITimeout: options.APITimeout, APIConcurrency: options.APIConcurrency,
		DeadLetterRetention: options.DeadLetterRetention, Registry: options.Registry,
	})
	if err != nil {
		return err
	}
	i.institutions = &institutionStore{
		Reader: reader, live: completions, synced: informed.institutions.HasSynced,
		log: options.Log, clock: options.Clock, inbox: i.inbox,
		startupTimeout: options.APITimeout, maxAge: options.SnapshotMaxAge, away: i.store.APIAway,
	}
	if err := observeSnapshot(options.Registry, &i.institutions.taken); err != nil {
		return err
	}
	if err := i.institutions.load(); err != nil {
		return err
	}
	err = errors.Join(i.institutions.observe(informed.institutions), i.store.FollowErasures(informed.erasures))
	if err != nil {
		return err
	}
	if i.socket, err = listenSocket(i.path); err != nil {
		return err
	}
	i.admin = &http.Server{Handler: i.store.Administration(), ReadTimeout: readTimeout}
	return nil
}

// start drains, keeps the snapshot and serves the administration until ctx ends and the socket is closed.
func (i *intake) start(ctx context.Context, running *sync.WaitGroup, failed chan<- error) {
	running.Go(func() { i.store.Run(ctx) })
	running.Go(func() { i.institutions.run(ctx) })
	running.Go(func() {
		if err := i.admin.Serve(i.socket); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving the socket of the inbox: %w", err)
		}
	})
}

// ready tells whether deliveries can be authenticated, and then kept by the disk or the API.
func (i *intake) ready() bool {
	stats := i.inbox.Stats()
	return i.institutions.known() && (stats.Failure == nil && !stats.Full() || !i.store.NeedsInbox())
}

// closeSocket ends the administration. Closing what is closed already does nothing.
func (i *intake) closeSocket() {
	_ = i.admin.Close()
	_ = i.socket.Close()
	_ = os.Remove(i.path)
}
