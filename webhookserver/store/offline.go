// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// Offline is an inbox that no server has open, such as one on a volume that was left behind.
type Offline struct {
	inbox *inbox.Inbox
	store *Store
}

// Draining says how to store what an Offline has.
type Draining struct {
	Config *rest.Config
	// APITimeout bounds all requests for one delivery together, APIConcurrency how many may be with the API at a time.
	APITimeout     time.Duration
	APIConcurrency int
}

// OpenOffline opens an existing inbox. It fails where a server has it open. Without a Draining it cannot be drained.
func OpenOffline(file string, log logr.Logger, draining *Draining) (*Offline, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	options := Options{Log: log, Clock: clock.RealClock{}, Registry: prometheus.NewRegistry()}
	if draining != nil {
		api, err := Connect(draining.Config)
		if err != nil {
			return nil, err
		}
		if options.Completions, err = api.Completions(); err != nil {
			return nil, err
		}
		options.APITimeout, options.APIConcurrency = draining.APITimeout, draining.APIConcurrency
	}
	// Whatever it holds fits, also while it is moved.
	const spare = 64 << 20
	options.Inbox, err = inbox.Open(file, inbox.Options{MaxBytes: info.Size() + spare, MustExist: true})
	if err != nil {
		return nil, err
	}
	kept, err := New(options)
	if err != nil {
		return nil, errors.Join(err, options.Inbox.Close())
	}
	return &Offline{inbox: options.Inbox, store: kept}, nil
}

// Handler answers what the socket of a server answers.
func (o *Offline) Handler() http.Handler { return o.store.Administration() }

// Drain stores what waits in the inbox until ctx ends.
func (o *Offline) Drain(ctx context.Context) { o.store.drainer.run(ctx) }

// Close closes the file.
func (o *Offline) Close() error { return o.inbox.Close() }
