// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// probeLate is how long a probe may be due before the API is asked whether it is there. Deliveries go before that.
const probeLate = 500 * time.Millisecond

// watch asks an API that is away whether it is back, where no delivery finds out: none comes to a pod that is not
// ready, and those in the inbox may all have to wait, or not be readable.
func (s *Store) watch(ctx context.Context) {
	tick := s.clock.NewTicker(probeLate)
	defer tick.Stop()
	for {
		select {
		case <-tick.C():
			s.ask(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// ask asks the API whether it is there, if nobody else does.
func (s *Store) ask(ctx context.Context) {
	leave, ok := s.circuit.question(probeLate)
	if !ok {
		return
	}
	refused := refusal{scope: scopeCompletion}
	if err := s.recorder.ask(ctx); err != nil {
		refused = refusalOf(err)
	}
	s.circuit.settle(leave, refused.scope == scopeAPI, refused.wait)
}

// ask reads a completion that cannot exist. The usual error is that it is not found.
func (r *recorder) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	key := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "probe"}
	return r.client.Get(ctx, key, &v1alpha1.CourseCompletion{})
}
