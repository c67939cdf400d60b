// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// ownMemory is what the loop remembers of Institutions beside what their statuses say. A restart loses it: a token
// whose Secret may not be read is then accepted for its whole patience again, and a token that several Institutions
// know is that of the one whose status has it.
type ownMemory struct {
	// written are the statuses that the cache has yet to show.
	written kube.Expectations
	// refused is since when the Secrets of an Institution may not be read.
	refused kube.Since[client.ObjectKey]
	// holders are the Institutions that tokens were last accepted for. They outlast the Institution, which may be being
	// replaced.
	holders tokenHolders
}

// forget forgets an Institution that has gone.
func (r *Reconciler) forget(institution client.ObjectKey) {
	r.written.Forget(institution)
	r.refused.End(institution)
	r.Brakes.Forget(institution)
	r.Gauges.forget(institution)
}
