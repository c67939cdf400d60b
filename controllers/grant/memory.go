// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
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

// objectChecks remembers when the templated objects of each Grant were last seen to be right. It is empty after a
// start, so that what drifted while nobody looked is found.
type objectChecks struct {
	mu   sync.Mutex
	last map[client.ObjectKey]objectCheck
}

type objectCheck struct {
	uid        types.UID
	generation int64
	// namespaces tells when one was made anew, and so has lost what was in it, or is shared with another Grant.
	namespaces string
	next       time.Time
	versions   apply.Versions
}

func (c *objectChecks) get(key client.ObjectKey) objectCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[key]
}

func (c *objectChecks) set(key client.ObjectKey, check objectCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[client.ObjectKey]objectCheck{}
	}
	c.last[key] = check
}

func (c *objectChecks) forget(key client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, key)
}

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
