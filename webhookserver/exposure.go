// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/lxp-dev/course-completion-operator/internal/diagnostics"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// Exposure is how the webhook faces whoever can reach it.
type Exposure struct {
	// TrustedProxies are whose X-Forwarded-For is believed.
	TrustedProxies throttle.TrustedProxies
	// FailedAuthenticationsPerMinute is how many of them an address may have; more get 429. 0 is any number.
	FailedAuthenticationsPerMinute int
	// StrangerRecordsPerMinute is how many calls of an address that have no good token get an audit record of their own in
	// a minute, those of all together ten times as many; what is more is summarised. 0 is any number.
	StrangerRecordsPerMinute int
	// MaxConnections is how many connections may be open at a time. Half of them may read deliveries of one institution;
	// one that has more than that in hand loses connections to others, and no delivery. 0 is any number.
	MaxConnections int
	// TLSCertFile and TLSKeyFile are the certificate with its chain and its key, in PEM, which are read again when they
	// change. Without them the webhook speaks HTTP, for something in front that ends TLS.
	TLSCertFile, TLSKeyFile string
	// Timeouts of a connection; the zero ones are the usual ones.
	Timeouts Timeouts
}

// Timeouts bound how long a connection may take for its parts. A sender that is slower than the usual ones is not the
// platform.
type Timeouts struct {
	// ReadHeader, 10 seconds, is for the header of a request, and for the handshake of TLS.
	ReadHeader time.Duration
	// Read, 30 seconds, is for a request with its body.
	Read time.Duration
	// Write is for everything from the end of the header to the end of the answer. Usually it is the sum of Read, the
	// time-out of the API and ReadHeader.
	Write time.Duration
	// Idle, two minutes, is between two requests.
	Idle time.Duration
}

// Limits that no installation needs to change.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
)

func (t Timeouts) applyTo(server *http.Server, apiTimeout time.Duration) {
	for _, of := range []struct {
		field      *time.Duration
		set, usual time.Duration
	}{
		{&server.ReadHeaderTimeout, t.ReadHeader, readHeaderTimeout},
		{&server.ReadTimeout, t.Read, readTimeout},
		// It counts from the end of the header: a body that comes slowly, the API, and the answer.
		{&server.WriteTimeout, t.Write, readTimeout + apiTimeout + readHeaderTimeout},
		{&server.IdleTimeout, t.Idle, idleTimeout},
	} {
		if *of.field = of.set; of.set == 0 {
			*of.field = of.usual
		}
	}
}

// concurrency is how many deliveries of one institution are read at a time; 0 is any number.
func (e *Exposure) concurrency() int {
	if e.MaxConnections == 0 {
		return 0
	}
	return max(1, e.MaxConnections/2)
}

// expose puts the limit of connections and TLS in front of an endpoint. What it returns has to run along with it.
func (e *Exposure) expose(at *endpoint, registry prometheus.Registerer) (run func(context.Context) error, err error) {
	// HTTP/2 would carry any number of requests in a connection, past the limit.
	at.server.Protocols = new(http.Protocols)
	at.server.Protocols.SetHTTP1(true)
	if e.MaxConnections > 0 {
		limited := diagnostics.Limit(at.listener, e.MaxConnections, clock.RealClock{})
		at.listener = limited
		at.server.ConnState = limited.Observe
		if err := observeConnections(registry, limited.Open); err != nil {
			return nil, err
		}
	}
	if e.TLSCertFile == "" && e.TLSKeyFile == "" {
		return func(context.Context) error { return nil }, nil
	}
	if e.TLSCertFile == "" || e.TLSKeyFile == "" {
		return nil, fmt.Errorf("TLS needs a certificate and a key: set both files or neither")
	}
	// A pair that cannot be used is told in the log and in certwatcher_read_certificate_errors_total; the one before it
	// stays in use.
	watcher, err := certwatcher.New(e.TLSCertFile, e.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the TLS certificate: %w", err)
	}
	at.listener = tls.NewListener(at.listener, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: watcher.GetCertificate,
	})
	return watcher.Start, nil
}
