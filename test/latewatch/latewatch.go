// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package latewatch makes watches late: what a watch of the API server says reaches the client some time after it was
// said, for each kind another time, so that a client that supposes a fresh cache, or an order between two watches, is
// found out. Within one watch the order stays.
package latewatch

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"strconv"
	"sync"
	"time"
)

// The variables of the environment that make the watches of a test's client late.
const (
	// EnvDelay is the greatest delay, such as 2s. Without it, or with 0, nothing is late.
	EnvDelay = "LATE_WATCHES"
	// EnvSeed is the seed of the delays. Without it, they differ from run to run.
	EnvSeed = "LATE_WATCHES_SEED"
)

// Options say how late watches are. The zero value is not late at all.
type Options struct {
	// Most is the greatest delay. That of a kind is between none and Most, and another one whenever that time has passed.
	Most time.Duration
	// Seed decides the delays.
	Seed uint64
}

// FromEnvironment reads the options from the environment.
func FromEnvironment() (Options, error) {
	most := os.Getenv(EnvDelay)
	if most == "" {
		return Options{}, nil
	}
	options := Options{Seed: rand.Uint64N(1_000_000)}
	var err error
	if options.Most, err = time.ParseDuration(most); err != nil {
		return Options{}, fmt.Errorf("%s: %w", EnvDelay, err)
	}
	if seed := os.Getenv(EnvSeed); seed != "" {
		if options.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return Options{}, fmt.Errorf("%s: %w", EnvSeed, err)
		}
	}
	return options, nil
}

func (o Options) String() string {
	return fmt.Sprintf("watches are late by up to %s: %s=%s %s=%d", o.Most, EnvDelay, o.Most, EnvSeed, o.Seed)
}

// Wrapper returns a wrapper for a client's transport. The seed, a name, such as that of the test, and the kind decide
// how late the watches of a kind are.
func (o Options) Wrapper(name string) func(http.RoundTripper) http.RoundTripper {
	delays := &delays{options: o, name: name, kinds: map[string]*delay{}}
	return func(next http.RoundTripper) http.RoundTripper {
		if o.Most <= 0 {
			return next
		}
		return &transport{next: next, delays: delays}
	}
}

type transport struct {
	next   http.RoundTripper
	delays *delays
}

func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK || !isWatch(request) {
		return response, err
	}
	response.Body = newBody(response.Body, t.delays.of(path.Base(request.URL.Path)))
	return response, nil
}

func isWatch(request *http.Request) bool {
	watch, err := strconv.ParseBool(request.URL.Query().Get("watch"))
	return err == nil && watch
}

// delays are those of all watches of one client.
type delays struct {
	options Options
	name    string
	mu      sync.Mutex
	kinds   map[string]*delay
}

// of returns the delay of a kind. A watch that begins anew goes on with it.
func (d *delays) of(kind string) *delay {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.kinds[kind]
	if found == nil {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(d.name + "/" + kind))
		found = &delay{most: d.options.Most, random: rand.New(rand.NewPCG(d.options.Seed, hash.Sum64()))}
		d.kinds[kind] = found
	}
	return found
}

// delay is that of one kind. It stays the same for a phase, so that a watch that has much to say is not always as
// late as the latest of it.
type delay struct {
	most   time.Duration
	mu     sync.Mutex
	random *rand.Rand
	by     time.Duration
	until  time.Time
}

// due returns when what was said now is heard.
func (d *delay) due(now time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !now.Before(d.until) {
		d.by, d.until = time.Duration(d.random.Int64N(int64(d.most)+1)), now.Add(d.most)
	}
	return now.Add(d.by)
}

// said is a part of a watch, or how it ended.
type said struct {
	text []byte
	err  error
	due  time.Time
}

// body is that of a response whose parts are heard when they are due, one after the other. It knows nothing of what
// the parts mean: half an event is no event.
type body struct {
	from   io.ReadCloser
	said   chan said
	closed chan struct{}
	close  func()
	rest   said
}

// ahead bounds how many parts of a watch wait.
const ahead = 4096

func newBody(from io.ReadCloser, by *delay) *body {
	b := &body{from: from, said: make(chan said, ahead), closed: make(chan struct{})}
	b.close = sync.OnceFunc(func() { close(b.closed) })
	go b.listen(by)
	return b
}

func (b *body) listen(by *delay) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := b.from.Read(buffer)
		select {
		case b.said <- said{text: bytes.Clone(buffer[:n]), err: err, due: by.due(time.Now())}:
		case <-b.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

func (b *body) Read(p []byte) (int, error) {
	for len(b.rest.text) == 0 {
		if b.rest.err != nil {
			return 0, b.rest.err
		}
		select {
		case b.rest = <-b.said:
		case <-b.closed:
			return 0, http.ErrBodyReadAfterClose
		}
		if !b.wait(time.Until(b.rest.due)) {
			return 0, http.ErrBodyReadAfterClose
		}
	}
	n := copy(p, b.rest.text)
	b.rest.text = b.rest.text[n:]
	return n, nil
}

// wait reports whether the body is still open after a time.
func (b *body) wait(long time.Duration) bool {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.closed:
		return false
	}
}

func (b *body) Close() error {
	b.close()
	return b.from.Close()
}
