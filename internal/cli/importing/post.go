// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// How long to wait before a row is posted again where the server does not say.
const (
	firstWait = time.Second
	mostWait  = 30 * time.Second
)

// poster posts rows until each is answered for good.
type poster struct {
	client *sender.Client
	urls   []string
	clock  clock.Clock
	// patience is how long one row is posted again and again.
	patience time.Duration
	mu       sync.Mutex
	// quiet is until when nobody posts, since the server has asked one of us to wait.
	quiet time.Time
	// repeated counts what was posted again.
	repeated int
}

// verdict is what came of a row.
type verdict struct {
	outcome string
	// refused says why the server does not take the row; empty where it does.
	refused string
}

// post returns once the row is taken or refused. An error means that going on is of no use.
func (p *poster) post(ctx context.Context, body []byte) (verdict, error) {
	began := p.clock.Now()
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		if err := p.await(ctx); err != nil {
			return verdict{}, err
		}
		// What is under way when somebody interrupts is waited for, which the timeout of the client bounds.
		answer, err := p.client.Post(context.WithoutCancel(ctx), p.urls[rand.IntN(len(p.urls))], body)
		if err == nil {
			if done, fatal := judge(answer); fatal != nil || done != nil {
				return deref(done), fatal
			}
			err = fmt.Errorf("the webhook server answers %d: %s", answer.Status, reasonOf(answer))
		}
		if p.clock.Since(began) >= p.patience {
			return verdict{}, fmt.Errorf("for %s a row could not be delivered: %w", p.patience, err)
		}
		pause := answer.RetryAfter
		if pause == 0 {
			pause = wait
		}
		p.pause(pause)
	}
}

func deref(v *verdict) verdict {
	if v == nil {
		return verdict{}
	}
	return *v
}

// pause keeps everybody from posting for a while: a limit of the institution is the same for all connections.
func (p *poster) pause(wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.repeated++
	if until := p.clock.Now().Add(wait); until.After(p.quiet) {
		p.quiet = until
	}
}

// await waits until posting is allowed again.
func (p *poster) await(ctx context.Context) error {
	for {
		p.mu.Lock()
		left := p.quiet.Sub(p.clock.Now())
		p.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if left <= 0 {
			return nil
		}
		timer := p.clock.NewTimer(left)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// judge says what an answer means: a verdict, an error where no row would fare better, or neither where the same row
// may be taken later.
func judge(answer sender.Answer) (*verdict, error) {
	switch answer.Status {
	case http.StatusOK:
		if answer.Outcome == "" {
			return nil, errors.New("this URL is not answered by the webhook server: check it with " +
				"`kubectl course doctor --url-file FILE`")
		}
		return &verdict{outcome: answer.Outcome}, nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &verdict{refused: reasonOf(answer)}, nil
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, nil
	}
	return nil, fmt.Errorf("the webhook server answers %d: %s", answer.Status, reasonOf(answer))
}

func reasonOf(answer sender.Answer) string {
	document := answer.Document()
	if reason := document.Reason(); reason != "" {
		return reason
	}
	return http.StatusText(answer.Status)
}
