// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The program webhook-server takes the deliveries of the learning platform and stores them as CourseCompletions.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/lxp-dev/course-completion-operator/internal/commandline"
	"github.com/lxp-dev/course-completion-operator/internal/diagnostics"
	"github.com/lxp-dev/course-completion-operator/internal/machineclock"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// version is set by the linker.
var version = "dev"

// The log of client-go (klog) is left as it is, at its least verbosity, and no logger is put into the contexts of
// deliveries: at a high verbosity client-go shows request bodies, which --zap-log-level must not be able to ask for.
func main() {
	if len(os.Args) > 1 && os.Args[1] == "inbox" {
		os.Exit(runInbox(ctrl.SetupSignalHandler(), os.Args[2:], os.Stdout, os.Stderr))
	}
	options := webhookserver.Options{
		UserAgent: "completion-webhook-server/" + version,
		Registry:  metrics.Registry,
		Clock:     machineclock.New(),
	}
	var logging zap.Options
	bindFlags(flag.CommandLine, &options)
	bindStorage(flag.CommandLine, &options.Storage)
	bindExposure(flag.CommandLine, &options.Exposure)
	var sinks sinks
	sinks.bind(flag.CommandLine)
	logging.BindFlags(flag.CommandLine)
	var profiles diagnostics.Profiles
	profiles.Bind(flag.CommandLine)
	limitMemory := bindMemory(flag.CommandLine)
	showVersion := flag.Bool("version", false, "Print the version and exit.")
	if code, exit := commandline.Parse(flag.CommandLine, os.Args[1:], os.Stdout, os.Stderr); exit {
		os.Exit(code)
	}
	if *showVersion {
		fmt.Fprintln(os.Stdout, "webhook-server", version)
		return
	}
	limitMemory()
	options.InboxSocket = socketOf(options.InboxSocket, options.InboxFile)

	log := zap.New(zap.UseFlagOptions(&logging))
	ctrl.SetLogger(log)
	options.Log = log.WithName("webhook-server")
	options.Log.Info("Webhook server starting", "version", version)
	if err := run(ctrl.SetupSignalHandler(), options, sinks, &profiles); err != nil {
		log.Error(err, "Webhook server failed", "version", version)
		os.Exit(1)
	}
}

// bindFlags declares the flags. The flag --kubeconfig comes with controller-runtime.
func bindFlags(flags *flag.FlagSet, o *webhookserver.Options) {
	flags.StringVar(&o.ListenAddress, "listen-address", ":8080", "The address the webhook listens on.")
	flags.StringVar(&o.HealthAddress, "health-address", ":8081",
		"The address that serves /healthz and /readyz; 0 disables it.")
	flags.StringVar(&o.MetricsAddress, "metrics-address", ":8082", "The address that serves /metrics; 0 disables it.")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", true,
		"Serve metrics over TLS, to clients that are allowed to get the non-resource URL /metrics.")
	flags.Int64Var(&o.MaxBodyBytes, "max-body-bytes", 64<<10,
		"The maximum size of a request body, in bytes. A delivery has about 1000.")
	flags.DurationVar(&o.ShutdownTimeout, "shutdown-timeout", 30*time.Second,
		"How long accepted requests may take to finish on shutdown. The rest of it, and at least a third, is for "+
			"draining the inbox.")
}

// run serves until ctx ends.
func run(
	ctx context.Context, options webhookserver.Options, sinks sinks, profiles *diagnostics.Profiles,
) (err error) {
	if err := profiles.Validate(); err != nil {
		return err
	}
	stopProfiles, err := profiles.Serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()
	closeSinks, err := sinks.open(ctx, &options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSinks(ctx)) }()
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	options.Config = config
	server, err := webhookserver.New(ctx, options)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
