// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how deliveries are sent.
type Options struct {
	// Connections is how many deliveries are under way at the same time, at least 1.
	Connections int
	// Count is how many deliveries are sent; 0 sends until the context ends.
	Count int
	// Rate is how many deliveries a second are begun; 0 begins each as soon as a connection is free.
	Rate float64
	// Timeout bounds one delivery.
	Timeout time.Duration
	// Transport is what carries them, by default a new one with as many connections as needed.
	Transport http.RoundTripper
	// Ledger gets every good delivery. It must be set; it may know those of earlier runs with other institutions or
	// seeds.
	Ledger *Ledger
	// Observe, when set, is called after each delivery, by several goroutines at once.
	Observe func(Delivery, Verdict)
}

// Validate returns what is wrong with the options.
func (o *Options) Validate() error {
	switch {
	case o.Connections < 1:
		return fmt.Errorf("connections is %d: must be at least 1", o.Connections)
	case o.Count < 0:
		return fmt.Errorf("count is %d: must be at least 1, or 0 for no limit", o.Count)
	case o.Rate < 0:
		return fmt.Errorf("rate is %g: must be positive, or 0 for as fast as the connections allow", o.Rate)
	case o.Timeout <= 0:
		return fmt.Errorf("timeout is %s: must be positive", o.Timeout)
	}
	return nil
}

// Run sends what next returns until Count deliveries are sent or ctx ends, and returns when all of them are answered or
// have failed. Those that are under way when ctx ends are still waited for. Next is called by one goroutine at a time.
func Run(ctx context.Context, next func() Delivery, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	client := NewClient(o.Connections, o.Timeout, o.Transport)
	if o.Transport == nil {
		defer client.Close()
	}
	r := &run{options: o, next: next, began: time.Now(), client: client}
	reports := make([]*Report, o.Connections)
	var sending sync.WaitGroup
	for i := range reports {
		reports[i] = newReport()
		sending.Go(func() { r.work(ctx, reports[i]) })
	}
	sending.Wait()
	total := newReport()
	for _, report := range reports {
		total.add(report)
	}
	total.Elapsed = time.Since(r.began)
	return total, nil
}

// run is one call of Run.
type run struct {
	options Options
	client  *Client
	began   time.Time
	mu      sync.Mutex
	next    func() Delivery
	begun   atomic.Int64
}

// work sends over one connection.
func (r *run) work(ctx context.Context, report *Report) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		turn := r.begun.Add(1) - 1
		if r.options.Count > 0 && turn >= int64(r.options.Count) {
			return
		}
		if r.options.Rate > 0 {
			timer.Reset(time.Until(r.began.Add(time.Duration(float64(turn) / r.options.Rate * float64(time.Second)))))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		d := r.next()
		r.mu.Unlock()
		r.send(context.WithoutCancel(ctx), &d, report)
	}
}

// send makes one call and notes what came of it.
func (r *run) send(ctx context.Context, d *Delivery, report *Report) {
	good := judge(d.Kind, Answer{Status: http.StatusOK}) == VerdictAcknowledged
	if good {
		r.options.Ledger.offer(d)
	}
	began := time.Now()
	a, err := r.client.Post(ctx, d.URL, d.Body)
	took := time.Since(began)
	verdict := VerdictFailed
	if err == nil {
		verdict = judge(d.Kind, a)
	}
	if good {
		r.options.Ledger.settle(d, a, verdict)
	}
	report.note(d, a, err, verdict, took)
	if r.options.Observe != nil {
		r.options.Observe(*d, verdict)
	}
}
