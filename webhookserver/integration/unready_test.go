// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// An API that is there and refuses needs the inbox as much as one that is away.
func TestNotReadyWhereNeitherTheAPINorTheInboxTakesADelivery(t *testing.T) {
	const bound = 96 << 10
	g := NewWithT(t)
	storage := storageIn(t.TempDir())
	fillWithDeadLetters(t, storage.InboxFile, bound)
	server := start(t, func(o *webhookserver.Options) { o.Storage, o.InboxMaxBytes = storage, bound })
	gone := newInstitution(t, func(i *v1alpha1.Institution) { i.Finalizers = []string{"people/finalizer"} })
	other := newInstitution(t)
	url, otherURL := server.knows(t, gone), server.knows(t, other)
	terminate(t, gone)
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(200))
	expectUnavailable(t, server, post(t, url, example), "inbox-full")
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(503))
	// It was about that namespace alone.
	g.Expect(post(t, otherURL, example).status).To(Equal(200))
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(200))
	release(t, gone)
}
