// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

const (
	// permitWait is how long a live delivery waits for its turn at the API before it goes to the inbox.
	permitWait = 25 * time.Millisecond
	// probeLate is how long a probe may be due before the API is asked whether it is there. Deliveries go before that.
	probeLate = 500 * time.Millisecond
)

// Reasons of the server itself for not asking the API.
const (
	reasonAPIAway = "api-away"
	reasonAPIBusy = "api-busy"
)

// gateway is the way to the API: it lets as many deliveries through as there are permits, as long as the circuit
// breaker is closed.
type gateway struct {
	log      logr.Logger
	clock    clock.WithTicker
	recorder recorder
	erasures *erasures
	permits  *permits
	breaker  *breaker
	// unkept forgets when the API takes something.
	unkept unkept
}

// permit is for having the API record one delivery. It has to be used by record, or given back by cancel.
type permit struct {
	attempt attempt
	release func()
}

// acquireLive returns the permit for a live delivery, or why it has to do without the API.
func (g *gateway) acquireLive(ctx context.Context, namespace string) (permit, string) {
	allowed, _, ok := g.breaker.allow()
	if !ok {
		return permit{}, reasonAPIAway
	}
	if !g.permits.acquire(ctx, namespace, permitWait) {
		g.breaker.cancel(allowed)
		return permit{}, reasonAPIBusy
	}
	return permit{allowed, g.permits.release}, ""
}

// acquireSpare waits for a permit that live deliveries leave; it is false where ctx has ended.
func (g *gateway) acquireSpare(ctx context.Context) (permit, bool) {
	for ctx.Err() == nil {
		release := g.permits.acquireSpare()
		if release == nil {
			select {
			case <-g.permits.freed:
			case <-ctx.Done():
			}
			continue
		}
		_, changed := g.breaker.away()
		allowed, wait, ok := g.breaker.allow()
		if ok {
			return permit{allowed, release}, true
		}
		release()
		timer := g.clock.NewTimer(max(wait, time.Millisecond))
		select {
		case <-timer.C():
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return permit{}, false
}

// cancel gives back a permit that was not used.
func (g *gateway) cancel(p permit) {
	g.breaker.cancel(p.attempt)
	p.release()
}

// record asks the API, gives the permit back, and tells the breaker what came of it.
func (g *gateway) record(ctx context.Context, completion *v1alpha1.CourseCompletion, p permit) (Outcome, *refusal) {
	answered := false
	defer func() {
		if !answered {
			// The API was not asked, or after a panic. A probe that is never given back would be the last one.
			g.breaker.cancel(p.attempt)
		}
		p.release()
	}()
	// A register may have come since the delivery was taken, or kept.
	if erased, err := g.erasures.known(completion); err != nil {
		refused := refusalOf(err)
		g.log.Info("Delivery must wait", "deliveryID", completion.Spec.Delivery.ID,
			"namespace", completion.Namespace, "reason", refused.reason)
		return "", &refused
	} else if erased {
		return Erased, nil
	}
	out, err := g.recorder.record(ctx, completion)
	answered = true
	if err == nil {
		g.breaker.report(p.attempt, false, 0)
		g.unkept.forget()
		return out, nil
	}
	refused := refusalOf(err)
	g.breaker.report(p.attempt, refused.scope == scopeAPI, refused.wait)
	g.log.Info("Could not store delivery in the API", "deliveryID", completion.Spec.Delivery.ID,
		"completion", client.ObjectKeyFromObject(completion), "reason", refused.reason, "fields", apifault.Fields(err))
	return "", &refused
}

// probe asks an API that is away whether it is back, until ctx ends, where no delivery finds out: none comes to a pod
// that is not ready, and those in the inbox may all have to wait, or not be readable.
func (g *gateway) probe(ctx context.Context) {
	tick := g.clock.NewTicker(probeLate)
	defer tick.Stop()
	for {
		select {
		case <-tick.C():
			g.probeOnce(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// probeOnce asks the API whether it is there, if nobody else does.
func (g *gateway) probeOnce(ctx context.Context) {
	allowed, ok := g.breaker.allowRead(probeLate)
	if !ok {
		return
	}
	refused := refusal{scope: scopeCompletion}
	if err := g.recorder.probe(ctx); err != nil {
		refused = refusalOf(err)
	}
	g.breaker.report(allowed, refused.scope == scopeAPI, refused.wait)
}
