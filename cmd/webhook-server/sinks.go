// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"

	"github.com/lxp-dev/course-completion-operator/internal/tracing"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// sinks are where the program tells what it did, besides its log and its metrics.
type sinks struct{ auditLog, otlpEndpoint string }

func (s *sinks) bind(flags *flag.FlagSet) {
	flags.StringVar(&s.auditLog, "audit-log", webhookserver.AuditToStdout,
		"The file for the audit records, one JSON object per line; reopened on SIGHUP. Use - for standard output.")
	flags.StringVar(&s.otlpEndpoint, "otlp-endpoint", "",
		"The URL of an OTLP/gRPC collector to send traces to, such as http://collector:4317. If empty, tracing is off.")
}

// open sets them in the options and returns what closes them.
func (s *sinks) open(ctx context.Context, o *webhookserver.Options) (func(context.Context) error, error) {
	audit, err := webhookserver.OpenAuditLog(s.auditLog)
	if err != nil {
		return nil, err
	}
	provider, stopTracing, err := tracing.Start(logr.NewContext(ctx, o.Log), s.otlpEndpoint,
		tracing.Program{Name: "completion-webhook-server", Version: version})
	if err != nil {
		return nil, errors.Join(err, audit.Close())
	}
	o.Audit, o.Tracing = audit, provider
	reopenOnHangup(ctx, o)
	return func(ctx context.Context) error { return errors.Join(stopTracing(ctx), audit.Close()) }, nil
}

// reopenOnHangup opens the audit log again whenever the program gets SIGHUP, for those who rotate it.
func reopenOnHangup(ctx context.Context, o *webhookserver.Options) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				if err := o.Audit.Reopen(); err != nil {
					o.Log.Error(err, "Could not reopen the audit log, keeping the current one")
					continue
				}
				o.Log.Info("Reopened the audit log")
			case <-ctx.Done():
				return
			}
		}
	}()
}
