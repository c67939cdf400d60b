/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
