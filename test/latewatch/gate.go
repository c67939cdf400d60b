// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package latewatch

import (
	"io"
	"net/http"
	"path"
	"sync"
)

// Gate holds back what the watches of a kind say for as long as it is shut. It begins open.
type Gate struct {
	kind string
	mu   sync.Mutex
	// open is closed while the gate is open.
	open chan struct{}
}

// NewGate returns a gate for a kind, by its plural name.
func NewGate(kind string) *Gate {
	g := &Gate{kind: kind, open: make(chan struct{})}
	close(g.open)
	return g
}

// Shut shuts the gate, which must be open.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// Open opens the gate, if it is shut.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

func (g *Gate) opened() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Wrap has the watches of a transport pass the gate.
func (g *Gate) Wrap(next http.RoundTripper) http.RoundTripper { return &gated{next: next, gate: g} }

type gated struct {
	next http.RoundTripper
	gate *Gate
}

func (t *gated) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil || !isWatch(request) || path.Base(request.URL.Path) != t.gate.kind {
		return response, err
	}
	body := &gatedBody{from: response.Body, gate: t.gate, closed: make(chan struct{})}
	body.close = sync.OnceFunc(func() { close(body.closed) })
	response.Body = body
	return response, nil
}

type gatedBody struct {
	from   io.ReadCloser
	gate   *Gate
	closed chan struct{}
	close  func()
}

func (b *gatedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	select {
	case <-b.gate.opened():
		return n, err
	case <-b.closed:
		return 0, http.ErrBodyReadAfterClose
	}
}

func (b *gatedBody) Close() error {
	b.close()
	return b.from.Close()
}
