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
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
)

// requestTimeout bounds one request to a server, which may have to wait for its disk.
const requestTimeout = 30 * time.Second

// inboxClient speaks to what administers an inbox: a server, or this program itself.
type inboxClient struct {
	http *http.Client
}

// bindKubeconfig declares --kubeconfig, which ctrl.GetConfig reads.
func bindKubeconfig(flags *flag.FlagSet) { config.RegisterFlags(flags) }

// connect prepares the client. With a file it opens that, and drains it if asked to; what it returns ends that.
func (c *inboxCommand) connect(ctx context.Context, drain bool) (stop func() error, err error) {
	if c.file == "" {
		c.client = newInboxClient(func(ctx context.Context) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "unix", c.socket)
			if err != nil {
				return nil, fmt.Errorf("connect to the server: %w (is it running? --file opens an inbox without it)", err)
			}
			return conn, nil
		})
		return func() error { return nil }, nil
	}
	log, draining := logr.Discard(), (*store.Draining)(nil)
	if drain {
		// Whoever finds out why a Job leaves something has nothing but its log.
		log = zap.New(zap.WriteTo(c.errOut))
		kubeconfig, err := ctrl.GetConfig()
		if err != nil {
			return nil, err
		}
		kubeconfig.UserAgent = "completion-webhook-server/" + version
		draining = &store.Draining{Config: kubeconfig, APITimeout: c.apiTimeout, APIConcurrency: c.concurrency}
	}
	offline, err := store.OpenOffline(c.file, log, draining)
	if err != nil {
		return nil, err
	}
	return c.serve(ctx, offline, drain), nil
}

// serve has this program administer the file in the way of a server.
func (c *inboxCommand) serve(ctx context.Context, offline *store.Offline, drain bool) (stop func() error) {
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: offline.Handler(), ReadHeaderTimeout: c.timeout}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	if drain {
		running.Go(func() { offline.Drain(ctx) })
	}
	running.Go(func() { _ = server.Serve(listener) })
	c.client = newInboxClient(listener.dial)
	return func() error {
		cancel()
		err := server.Close()
		running.Wait()
		return errors.Join(err, offline.Close())
	}
}

func newInboxClient(dial func(context.Context) (net.Conn, error)) *inboxClient {
	return &inboxClient{http: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}
}

func (c *inboxClient) get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, into)
}

// refusedError is what an administration says that does not do what it was asked for.
type refusedError struct {
	// status is that of HTTP.
	status int
	text   string
}

// Error returns what it says.
func (e *refusedError) Error() string { return e.text }

// do sends a request and reads its answer; into is nil where it has no body.
func (c *inboxClient) do(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://inbox"+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return errors.Join(&refusedError{response.StatusCode, strings.TrimSpace(string(text))}, err)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// pages calls do for the records of a state, a page at a time, oldest first, for as long as it wants more.
func (c *inboxClient) pages(
	ctx context.Context, state string, do func([]inboxapi.Record) (more bool, err error),
) error {
	for after := uint64(0); ; {
		var page inboxapi.Page
		if err := c.get(ctx, fmt.Sprintf("/records?state=%s&after=%d", state, after), &page); err != nil {
			return err
		}
		if more, err := do(page.Records); err != nil || !more || page.Next <= after {
			return err
		}
		after = page.Next
	}
}

// pipes is a listener inside of this program.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "inbox", Net: "unix"} }
