// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package webhookserver takes the deliveries of the learning platform and stores them as CourseCompletions. The files
// follow one delivery from the socket on: server, handler, authenticate; then problem, audit and metrics, which say
// what came of it. Package throttle bounds what senders may do, internal/delivery decodes and validates, and package
// store puts a delivery into the API or, by way of the inbox, there later.
package webhookserver

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	// Zones of institutions must be known in an image without a zone database.
	_ "time/tzdata"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/diagnostics"
	"github.com/lxp-dev/course-completion-operator/internal/informers"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// Registry takes the server's metrics and hands out what is in it.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// Options are what a Server needs. Every field must be set but Exposure and Tracing.
type Options struct {
	// Config is how to reach the API, with rights to list and watch Institutions, to get, list and watch ErasureRegisters,
	// and to create, get and update CourseCompletions.
	Config *rest.Config
	// UserAgent is what the API server's logs call this program.
	UserAgent string

	// ListenAddress, HealthAddress and MetricsAddress are host:port, or :port for every address of the machine: for the
	// webhook, for /healthz and /readyz, and for /metrics. With 0, or empty, the last two serve nothing.
	ListenAddress  string
	HealthAddress  string
	MetricsAddress string
	// MetricsSecure serves the metrics over TLS, to those who may get the non-resource URL /metrics.
	MetricsSecure bool

	// MaxBodyBytes is the greatest body taken. All that are in memory at a time may have 32 MiB together, or twice this
	// where it is more; those of one institution half of that.
	MaxBodyBytes int64
	// ShutdownTimeout bounds how long accepted requests may take to finish once the server is to stop. The inbox has what
	// they leave of it to be emptied, and at least a third of it.
	ShutdownTimeout time.Duration

	// Storage is where deliveries go.
	Storage
	// Exposure is how the webhook faces its callers.
	Exposure

	// Clock says when a delivery came.
	Clock    clock.WithTicker
	Log      logr.Logger
	Audit    *AuditLog
	Registry Registry
	// Tracing makes the spans; nil is no tracing.
	Tracing trace.TracerProvider
}

// Server is the webhook server with all its listeners.
type Server struct {
	options  Options
	cache    cache.Cache
	intake   *intake
	handler  *handler
	draining atomic.Bool

	webhook, health, metrics endpoint
	// watchCertificate runs as long as the webhook is served.
	watchCertificate func(context.Context) error
}

// endpoint is an HTTP server and the socket it serves.
type endpoint struct {
	name     string
	server   *http.Server
	listener net.Listener
}

// address is empty where nothing is served.
func (e *endpoint) address() string {
	if e.listener == nil {
		return ""
	}
	return e.listener.Addr().String()
}

// open lists what is served.
func (s *Server) open() []*endpoint {
	return slices.DeleteFunc([]*endpoint{&s.webhook, &s.health, &s.metrics},
		func(e *endpoint) bool { return e.listener == nil })
}

// New prepares a Server and opens its sockets, so that a wrong or taken address is an error at once; Run serves them.
// The API need not be there yet.
func New(ctx context.Context, options Options) (*Server, error) {
	s := &Server{options: options}
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) prepare(ctx context.Context) error {
	options := s.options
	completions, watched, err := s.connect(ctx)
	if err != nil {
		return err
	}
	measured, err := newInstruments(options.Registry)
	if err != nil {
		return err
	}
	if s.intake, err = openIntake(&options, completions, s.cache, watched); err != nil {
		return err
	}
	institutions := s.intake.institutions
	s.handler = &handler{
		log:           options.Log,
		clock:         options.Clock,
		newDeliveryID: newDeliveryID,
		synced:        institutions.known,
		proxies:       options.TrustedProxies,
		rates:         throttle.NewRates(options.FailedAuthenticationsPerMinute),
		concurrency:   throttle.NewConcurrency(options.concurrency()),
		authenticator: authenticator{institutions: institutions, unsettled: institutions.unsettled},
		store:         s.intake.store,
		instruments:   measured,
		auditLog:      options.Audit,
		auditLimit:    throttle.NewAuditLimit(options.StrangerRecordsPerMinute),
		bodies:        throttle.NewBodyBudget(options.MaxBodyBytes),
		events:        &eventLabels{},
	}
	if options.Tracing != nil {
		s.handler.tracer = options.Tracing.Tracer("webhook-server")
	}
	if err := s.listen(ctx, s.handler); err != nil {
		return err
	}
	s.watchCertificate, err = options.expose(&s.webhook, options.Registry)
	return err
}

// newDeliveryID returns an id that sorts by time and cannot be guessed.
func newDeliveryID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// connect prepares the cache and returns the client for CourseCompletions.
func (s *Server) connect(ctx context.Context) (client.Client, watched, error) {
	var informed watched
	config := rest.CopyConfig(s.options.Config)
	config.UserAgent = s.options.UserAgent
	api, err := store.Connect(config)
	if err != nil {
		return nil, informed, err
	}
	completions, err := api.Completions()
	if err != nil {
		return nil, informed, err
	}
	keeper := informers.New(api.Config, api.Scheme, s.options.Log)
	if err := keeper.Register(s.options.Registry); err != nil {
		return nil, informed, fmt.Errorf("registering the metrics of the informers: %w", err)
	}
	s.cache, informed, err = watch(ctx, api, keeper)
	return completions, informed, err
}

// listen opens the sockets.
func (s *Server) listen(ctx context.Context, webhook http.Handler) error {
	probes := http.NewServeMux()
	probes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	probes.HandleFunc("/readyz", s.readyz)
	scrapes := http.NewServeMux()
	exposition := promhttp.HandlerFor(s.options.Registry, promhttp.HandlerOpts{})
	if s.options.MetricsSecure {
		var err error
		log := s.options.Log.WithName("metrics")
		if exposition, err = diagnostics.Authorized(s.options.Config, log, s.options.Clock, exposition); err != nil {
			return err
		}
	}
	scrapes.Handle("/metrics", exposition)

	for _, e := range []struct {
		at      *endpoint
		name    string
		address string
		handler http.Handler
	}{
		{&s.webhook, "webhook", s.options.ListenAddress, webhook},
		{&s.health, "health", s.options.HealthAddress, probes},
		{&s.metrics, "metrics", s.options.MetricsAddress, scrapes},
	} {
		if e.at != &s.webhook && diagnostics.None(e.address) {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", e.address)
		if err != nil {
			return fmt.Errorf("listening on the %s address: %w", e.name, err)
		}
		*e.at = endpoint{name: e.name, listener: listener, server: &http.Server{
			Handler:        e.handler,
			MaxHeaderBytes: maxHeaderBytes,
			ErrorLog:       stdlog.New(&errorLog{s.options.Log.WithName("http")}, "", 0),
		}}
		if e.at == &s.webhook {
			s.options.Timeouts.applyTo(e.at.server, s.options.APITimeout)
		} else {
			e.at.listener = diagnostics.Bound(listener, e.at.server)
		}
		if e.at == &s.metrics && s.options.MetricsSecure {
			if e.at.listener, err = diagnostics.Secure(e.at.listener); err != nil {
				return err
			}
		}
	}
	return nil
}

// readyz says whether the server can make deliveries safe and is not about to stop.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.intake.ready() || s.draining.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// WebhookAddress returns where the webhook really is, as host:port.
func (s *Server) WebhookAddress() string { return s.webhook.address() }

// HealthAddress returns where /healthz and /readyz are, or nothing.
func (s *Server) HealthAddress() string { return s.health.address() }

// MetricsAddress returns where /metrics is, or nothing.
func (s *Server) MetricsAddress() string { return s.metrics.address() }

// Run serves until ctx ends, then finishes the requests that it has accepted. It returns an error when a listener or
// the cache fails, and when requests had to be cut off. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	log := s.options.Log
	// Accepted requests need the cache until the last of them is answered.
	cacheCtx, stopCache := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCache()
	failed := make(chan error, 6)
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.cache.Start(cacheCtx); err != nil {
			failed <- fmt.Errorf("caching institutions: %w", err)
		}
	})
	s.intake.start(cacheCtx, &running, failed)
	running.Go(func() { s.handler.summarise(cacheCtx) })
	running.Go(func() {
		if err := s.watchCertificate(cacheCtx); err != nil {
			failed <- fmt.Errorf("watching the TLS certificate: %w", err)
		}
	})
	for _, e := range s.open() {
		running.Go(func() {
			if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving on the %s address: %w", e.name, err)
			}
		})
	}
	log.Info("Started webhook server", "webhook", s.WebhookAddress(), "health", s.HealthAddress(),
		"metrics", s.MetricsAddress())

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-failed:
	}
	s.draining.Store(true)
	log.Info("Stopping webhook server")
	drained := s.drain(context.WithoutCancel(ctx))
	stopCache()
	s.closeSockets()
	return errors.Join(failure, drained, s.end(&running))
}

// end waits until everything has ended, and closes the inbox. A disk that hangs is not waited for: whatever was
// acknowledged is in the file.
func (s *Server) end(running *sync.WaitGroup) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		running.Wait()
	}()
	// As long as the last request to the API, and putting on the disk what came of it, may take.
	limit := s.options.APITimeout + 2*store.DiskTimeout
	timer := s.options.Clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return s.intake.inbox.Close()
	case <-timer.C():
		return fmt.Errorf("giving up on work that did not stop within %s", limit)
	}
}

// drain takes no new connections, waits for the requests on those that are open, and then for the inbox to be emptied.
func (s *Server) drain(ctx context.Context) error {
	began, limit := s.options.Clock.Now(), s.options.ShutdownTimeout
	finished := s.finish(ctx, limit)
	ctx, cancel := context.WithTimeout(ctx, max(limit-s.options.Clock.Since(began), limit/3))
	defer cancel()
	s.intake.store.Empty(ctx)
	return finished
}

// finish lets accepted requests finish, and cuts off those that take longer than a limit.
func (s *Server) finish(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.webhook.server.Shutdown(ctx); err != nil {
		// What comes too late must not fill what is about to be emptied.
		_ = s.webhook.server.Close()
		return fmt.Errorf("cutting off requests that took longer than %s to finish: %w", limit, err)
	}
	return nil
}

// close gives up what was prepared and never ran.
func (s *Server) close() {
	s.closeSockets()
	if s.intake != nil {
		// Nothing was written.
		_ = s.intake.inbox.Close()
	}
}

// closeSockets closes every socket. Closing what is closed already does nothing.
func (s *Server) closeSockets() {
	for _, e := range s.open() {
		_ = e.server.Close()
		_ = e.listener.Close()
	}
	if s.intake != nil {
		s.intake.closeSocket()
	}
}

// errorLog passes what net/http complains about to the log, without the tokens that a request line may hold.
type errorLog struct{ log logr.Logger }

var webhookPaths = regexp.MustCompile(`/webhooks/[^\s"']*`)

func (l *errorLog) Write(text []byte) (int, error) {
	l.log.Info("HTTP server reported an error",
		"message", webhookPaths.ReplaceAllStringFunc(strings.TrimSpace(string(text)), redactPath))
	return len(text), nil
}
