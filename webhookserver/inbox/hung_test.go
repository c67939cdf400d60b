// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	testingclock "k8s.io/utils/clock/testing"
)

// A disk that hangs returns no error. Holding what a commit needs is what such a disk does to the writer.
func TestADiskThatHangsIsAFailure(t *testing.T) {
	g := NewWithT(t)
	now := testingclock.NewFakeClock(received)
	i := open(t, newPath(t), func(o *Options) { o.Clock = now })
	put(t, i, 1)
	held, err := i.db.Begin(true)
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() { written <- i.Put(ctx, newRecord(2)) }()
	g.Eventually(i.began.Load, time.Minute).ShouldNot(BeZero())
	now.Step(hangTime - time.Second)
	g.Expect(i.Stats().Failure).To(Succeed())
	now.Step(2 * time.Second)
	g.Expect(i.Stats().Failure).To(MatchError(ErrHung))
	g.Expect(i.Stats().Failure).To(MatchError(ContainSubstring("for 6s")))
	g.Expect(i.Stats().Records).To(Equal(1))
	cancel()
	g.Expect(<-written).To(MatchError(context.Canceled))

	// Closing does not wait for it for ever.
	closed := make(chan error, 1)
	go func() { closed <- i.Close() }()
	g.Eventually(func() error {
		now.Step(time.Second)
		select {
		case err := <-closed:
			return err
		default:
			return errors.New("still closing")
		}
	}, time.Minute).Should(MatchError(ErrHung))

	// Once the disk answers, what it was given is there.
	g.Expect(held.Rollback()).To(Succeed())
	g.Eventually(func() int { return i.Stats().Records }, time.Minute).Should(Equal(2))
	g.Eventually(func() error { return i.Stats().Failure }, time.Minute).Should(Succeed())
}
