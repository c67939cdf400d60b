// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// dataWaits is for how long the data of a Grant waits at most until the access of others has been taken.
const dataWaits = time.Minute

// accessEnds remember, for each institution's namespace, whose access was taken last, and of whom before that. Where
// many Grants end at once, access goes first, of all of them: the cluster is busy with deleting namespaces for long,
// and who is no longer entitled would keep access meanwhile. The zero value is ready, and safe for concurrent use.
type accessEnds struct {
	mu          sync.Mutex
	byNamespace map[string][2]accessEnd
}

type accessEnd struct {
	grant string
	at    time.Time
}

// note notes that the access of a Grant has been taken.
func (e *accessEnds) note(grant client.ObjectKey, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byNamespace == nil {
		e.byNamespace = map[string][2]accessEnd{}
	}
	last := e.byNamespace[grant.Namespace]
	if last[0].grant != grant.Name {
		last[1] = last[0]
	}
	last[0] = accessEnd{grant.Name, now}
	e.byNamespace[grant.Namespace] = last
}

// others reports whether the access of others in the namespace is being taken, for which the data of a Grant waits.
func (e *accessEnds) others(grant *v1alpha1.Grant, now time.Time) bool {
	ended := grant.Status.AccessEndedAt
	if ended == nil || now.Sub(ended.Time) >= dataWaits {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	last := e.byNamespace[grant.Namespace]
	other := last[0]
	if other.grant == grant.Name {
		other = last[1]
	}
	return other.grant != "" && now.Sub(other.at) < lifecycle.AccessFirstInterval
}
