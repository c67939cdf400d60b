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
	inbox   *inbox.Inbox
	drainer *drainer
}

// OpenOffline opens an existing inbox. It fails where a server has it open.
func OpenOffline(file string, log logr.Logger) (*Offline, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	// Whatever it holds fits, also while it is moved.
	const room = 64 << 20
	opened, err := inbox.Open(file, inbox.Options{MaxBytes: info.Size() + room, MustExist: true})
	if err != nil {
		return nil, err
	}
	measured, err := newInboxInstruments(prometheus.NewRegistry(), opened.Stats)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	machine := clock.RealClock{}
	return &Offline{inbox: opened, drainer: newDrainer(&Store{
		log: log, clock: machine, inbox: opened, circuit: newCircuit(machine),
	}, measured)}, nil
}

// Handler answers what the socket of a server answers.
func (o *Offline) Handler() http.Handler {
	return (&admin{inbox: o.inbox, drainer: o.drainer}).handler()
}

// Drain stores what waits in the inbox until ctx ends. It asks the API for at most as many deliveries at a time as
// concurrency says, each for as long as timeout says.
func (o *Offline) Drain(ctx context.Context, config *rest.Config, timeout time.Duration, concurrency int) error {
	api, err := Connect(config)
	if err != nil {
		return err
	}
	completions, err := api.Completions()
	if err != nil {
		return err
	}
	o.drainer.recorder = recorder{client: completions, timeout: timeout, erasures: newErasures(completions)}
	o.drainer.slots = newSlots(concurrency)
	o.drainer.run(ctx)
	return nil
}

// Close closes the file.
func (o *Offline) Close() error { return o.inbox.Close() }
