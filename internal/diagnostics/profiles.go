// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
)

// mutexFraction is of how many waits for a mutex one is noted, while profiles are served.
const mutexFraction = 10

// Profiles serves Go's profiles of a program. They show what is in its memory, so they are for loopback alone.
type Profiles struct{ address string }

// Bind declares the flag.
func (p *Profiles) Bind(flags *flag.FlagSet) {
	flags.StringVar(&p.address, "pprof-address", "0",
		"The address of Go's profiles, for loopback only: they show what is in memory; 0 serves none.")
}

// Validate refuses an address that others can reach.
func (p *Profiles) Validate() error {
	if !p.served() || isLoopback(p.address) {
		return nil
	}
	return fmt.Errorf("--pprof-address is %q: profiles show what is in memory, use a loopback address such as "+
		"127.0.0.1:6060, or 0 for none", p.address)
}

// Serve serves the profiles, if they were asked for, until stop is called.
func (p *Profiles) Serve(ctx context.Context) (stop func() error, err error) {
	if !p.served() {
		return func() error { return nil }, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("open the address of the profiles: %w", err)
	}
	runtime.SetMutexProfileFraction(mutexFraction)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	// Whoever asks says how long a profile takes: nothing bounds the answer.
	server := &http.Server{Handler: mux, ReadHeaderTimeout: readTimeout, MaxHeaderBytes: maxHeaderBytes}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

func (p *Profiles) served() bool { return p.address != "" && p.address != "0" }

// isLoopback tells whether nobody but this machine, or pod, can reach an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
