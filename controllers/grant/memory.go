// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// ownMemory is what the loop remembers of Grants beside what their statuses say. A restart loses it: the templated
// objects of every Grant are then looked at once more, data that waits for the access of others goes, and nothing else
// changes.
type ownMemory struct {
	// written are the statuses that the cache has yet to show.
	written kube.Expectations
	// checks are when templated objects were last seen to be right.
	checks objectChecks
	// ends are the Grants whose access was taken last.
	ends accessEnds
}

// forget forgets a Grant that has gone.
func (r *Reconciler) forget(grant client.ObjectKey) {
	r.written.Forget(grant)
	r.checks.forget(grant)
	r.Plans.Forget(grant)
}
