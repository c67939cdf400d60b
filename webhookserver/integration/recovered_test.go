// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// A pod that is not ready gets no deliveries, and an inbox of dead letters has nothing to try: neither may be needed to
// find out that the API is back.
func TestAServerThatGetsNothingFindsOutThatTheAPIIsBack(t *testing.T) {
	const bound = 96 << 10
	g := NewWithT(t)
	dir := t.TempDir()
	storage := storageIn(dir)
	fillWithDeadLetters(t, storage.InboxFile, bound)
	i, server := newInstitution(t), start(t, func(o *webhookserver.Options) {
		o.Storage, o.InboxMaxBytes, o.APITimeout = storage, bound, time.Second
	})
	url := server.knows(t, i)
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(200))
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	refused := post(t, url, example)
	ready := get(t, server.HealthAddress(), "/readyz")
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	expectUnavailable(t, server, refused, "inbox-full")
	g.Expect(ready).To(Equal(503))
	g.Eventually(func() int { return get(t, server.HealthAddress(), "/readyz") }, patience).Should(Equal(200))
	// An API server that goes on may be too slow at first: what is queued then is a duplicate the next time.
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(
		BeElementOf("created", "duplicate"))
}

func fillWithDeadLetters(t *testing.T, file string, bound int64) {
	t.Helper()
	g := NewWithT(t)
	kept, err := inbox.Open(file, inbox.Options{MaxBytes: bound})
	g.Expect(err).NotTo(HaveOccurred())
	for n := 0; !kept.Stats().Full(); n++ {
		// None of them has more than its share.
		err := kept.Hold(t.Context(), &inbox.Record{
			Received: time.Now(), Namespace: fmt.Sprintf("institution-%d", n), Name: fmt.Sprintf("1-2-%d-4", n),
			Reason: "api-invalid", Data: make([]byte, 1<<10),
		})
		if errors.Is(err, inbox.ErrFull) {
			break
		}
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(kept.Stats().Full()).To(BeTrue(), fmt.Sprintf("%+v", kept.Stats()))
	g.Expect(kept.Close()).To(Succeed())
}
