// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The controller-manager plans who has what, and puts it into effect. It faces nothing but the API server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"time"
	_ "time/tzdata" // The zones of institutions must not depend on the image.

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lxp-dev/course-completion-operator/controllers"
	"github.com/lxp-dev/course-completion-operator/internal/commandline"
	"github.com/lxp-dev/course-completion-operator/internal/diagnostics"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/informers"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/limits"
	"github.com/lxp-dev/course-completion-operator/internal/machineclock"
	"github.com/lxp-dev/course-completion-operator/internal/tracing"
)

// version is set by the linker.
var version = "dev"

// maxVerbosity is the most that may be logged, as zap counts it.
const maxVerbosity zapcore.Level = -7

// diagnosticsShutdown is how long who reads metrics or probes may take once the program is to stop.
const diagnosticsShutdown = 5 * time.Second

// gcPercent is how much the memory may grow before it is collected: most of it is the cache, which stays.
const gcPercent = 40

// options are the flags.
type options struct {
	metricsAddress string
	metricsSecure  bool
	profiles       diagnostics.Profiles
	healthAddress  string

	leaderElect             bool
	leaderElectionNamespace string

	workers       int
	limits        limits.Flags
	configuration string
	otlpEndpoint  string

	log zap.Options
}

func (o *options) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.metricsAddress, "metrics-address", ":8443", "The address that serves /metrics; 0 disables it.")
	flags.BoolVar(&o.metricsSecure, "metrics-secure", true,
		"Serve metrics over TLS, to those who may get the non-resource URL /metrics.")
	flags.StringVar(&o.healthAddress, "health-address", ":8081",
		"The address that serves /healthz and /readyz; 0 disables it.")
	o.profiles.Bind(flags)
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "Let one replica work at a time.")
	flags.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", "",
		"The namespace of the leader election lease. (default the namespace of the pod)")
	flags.IntVar(&o.workers, "workers", 8,
		"The number of people, and of grants, to reconcile concurrently, from 1 to 64.")
	o.limits.Bind(flags)
	flags.StringVar(&o.configuration, "config", "",
		"The configuration file for granted namespaces: default quota and limits, and the traffic that their network "+
			"policy allows. Read at startup. If empty, the defaults apply.")
	flags.StringVar(&o.otlpEndpoint, "otlp-endpoint", "",
		"The URL of an OTLP/gRPC collector to send traces to, such as http://collector:4317. If empty, tracing is off.")
	o.log.BindFlags(flags)
}

func (o *options) validate() error {
	if err := o.limits.Validate(); err != nil {
		return err
	}
	// From 8 on, the client library logs the bodies of requests and answers: tokens and personal data.
	if o.log.Level != nil && o.log.Level.Enabled(maxVerbosity-1) {
		return errors.New("--zap-log-level must be at most 7: higher levels log tokens and personal data")
	}
	if err := o.profiles.Validate(); err != nil {
		return err
	}
	if o.workers < 1 || o.workers > 64 {
		return fmt.Errorf("--workers is %d: must be from 1 to 64", o.workers)
	}
	return nil
}

func main() {
	o := options{}
	o.bind(flag.CommandLine)
	showVersion := flag.Bool("version", false, "Print the version and exit.")
	if code, exit := commandline.Parse(flag.CommandLine, os.Args[1:], os.Stdout, os.Stderr); exit {
		os.Exit(code)
	}
	if *showVersion {
		fmt.Fprintln(os.Stdout, "controller-manager", version)
		return
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.log)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "Controller-manager failed")
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	namespaces, err := installation.Load(o.configuration)
	if err != nil {
		return fmt.Errorf("load the file of --config: %w", err)
	}
	stopProfiles, err := o.profiles.Serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()
	provider, stopTracing, err := tracing.Start(ctrl.LoggerInto(ctx, ctrl.Log), o.otlpEndpoint,
		tracing.Program{Name: "completion-controller-manager", Version: version})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopTracing(ctx)) }()
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("load the client configuration: %w", err)
	}
	// The API server's priority and fairness sees every client and divides what there is; a limit in here would only be
	// a guess, and the one that client-go ships allows five requests a second.
	config.QPS = -1
	// Warnings of the API server may quote what was sent.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.UserAgent = "completion-controller-manager/" + version
	scheme := controllers.NewScheme()
	api, err := newAwaiting(config, scheme, o.healthAddress, ctrl.Log)
	if err != nil {
		return err
	}
	if err := api.run(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	keeper := informers.New(config, scheme, ctrl.Log)
	if err := keeper.Register(metrics.Registry); err != nil {
		return fmt.Errorf("register the informer metrics: %w", err)
	}
	mgr, err := o.newManager(config, scheme, keeper)
	if err != nil {
		return err
	}
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Limits:     o.limits.Limits(),
		Namespaces: namespaces,
		Clock:      machineclock.New(),
		Workers:    o.workers,
		Tracing:    provider,
	})
	if err != nil {
		return err
	}
	if err := o.serveDiagnostics(ctx, mgr, keeper); err != nil {
		return err
	}
	ctrl.Log.Info("Starting controller-manager", "version", version, "configuration", o.configuration)
	return mgr.Start(ctx)
}

func (o *options) newManager(
	config *rest.Config, scheme *runtime.Scheme, keeper *informers.Keeper,
) (ctrl.Manager, error) {
	mgr, err := ctrl.NewManager(config, manager.Options{
		Scheme:                        scheme,
		Cache:                         index.Lean(keeper.Options(controllers.CacheOptions())),
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:        "0",
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "completion-controller-manager",
		LeaderElectionNamespace:       o.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	return mgr, nil
}

// serveDiagnostics serves the metrics and the probes, as the webhook server does.
func (o *options) serveDiagnostics(ctx context.Context, mgr ctrl.Manager, keeper *informers.Keeper) error {
	scrapes := http.NewServeMux()
	exposition := promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{})
	if o.metricsSecure {
		var err error
		log := ctrl.Log.WithName("metrics")
		if exposition, err = diagnostics.Authorized(mgr.GetConfig(), log, machineclock.New(), exposition); err != nil {
			return err
		}
	}
	scrapes.Handle("/metrics", exposition)
	for _, port := range []struct {
		name, address string
		handler       http.Handler
		secure        bool
	}{
		{"health", o.healthAddress, probes(mgr, keeper), false},
		{"metrics", o.metricsAddress, scrapes, o.metricsSecure},
	} {
		if diagnostics.None(port.address) {
			continue
		}
		server, listener, err := diagnostics.Listen(ctx, port.address, port.handler, port.secure)
		if err != nil {
			return fmt.Errorf("listen on the %s address: %w", port.name, err)
		}
		// The manager starts these before its caches.
		err = mgr.Add(&manager.Server{
			Name: port.name, Server: server, Listener: listener, ShutdownTimeout: new(diagnosticsShutdown)})
		if err != nil {
			return fmt.Errorf("add the %s server: %w", port.name, err)
		}
	}
	return nil
}

// probes returns the probes: the program is alive while it runs, and ready once its caches are: also as a standby,
// which so takes over with warm caches. It is not ready while a kind cannot be listed or watched.
func probes(mgr ctrl.Manager, keeper *informers.Keeper) http.Handler {
	synced := func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not synced")
		}
		return nil
	}
	mux := http.NewServeMux()
	for path, checks := range map[string]map[string]healthz.Checker{
		"/healthz": {"ping": healthz.Ping},
		"/readyz":  {"caches": synced, "informers": keeper.Check},
	} {
		handler := http.StripPrefix(path, &healthz.Handler{Checks: checks})
		mux.Handle(path, handler)
		mux.Handle(path+"/", handler)
	}
	return mux
}
