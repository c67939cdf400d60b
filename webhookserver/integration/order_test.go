// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

func dialSocket(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
}

// Whatever order the deliveries of a completion come in, however often, at whichever server and by whichever inbox, the
// greatest of them is what is there in the end. The seed of a round that fails is in the failure.
func TestEveryInterleavingEndsInTheGreatest(t *testing.T) {
	const servers, rounds, versions = 3, 8, 12
	i := newInstitution(t)
	var all []*running
	var urls []string
	for range servers {
		server := start(t, brief)
		all = append(all, server)
		urls = append(urls, server.knows(t, i))
	}
	first := uint64(time.Now().UnixNano())
	for round := range uint64(rounds) {
		seed := first + round
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			interleave(t, i, all, urls, rand.New(rand.NewPCG(seed, 0)), int(round), versions)
		})
	}
}

// interleave sends versions of one completion, each two times, mixed up and at once, while the API comes and goes.
func interleave(
	t *testing.T, i institution, servers []*running, urls []string, random *rand.Rand, enrollment, versions int,
) {
	t.Helper()
	g := NewWithT(t)
	enrollment += 5000
	var bodies []string
	for n := range versions {
		// Some share their time and differ in what they say.
		at := fmt.Sprintf("2023-07-03 12:%02d:00", n/2)
		body := edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, enrollment), "2023-07-03 12:53:41", at,
			`"Course Name"`, fmt.Sprintf(`"Course %d"`, n))
		bodies = append(bodies, body, body)
	}
	random.Shuffle(len(bodies), func(a, b int) { bodies[a], bodies[b] = bodies[b], bodies[a] })
	pauseAt, resumeAt := random.IntN(len(bodies)/2), len(bodies)/2+random.IntN(len(bodies)/2)
	var group sync.WaitGroup
	for n, body := range bodies {
		switch n {
		case pauseAt:
			g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
		case resumeAt:
			group.Wait()
			g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
		}
		url := urls[random.IntN(len(urls))]
		group.Go(func() {
			if got := post(t, url, body); got.status != 200 {
				t.Errorf("answered %d %s", got.status, got.text)
			}
		})
	}
	group.Wait()
	for _, server := range servers {
		server.emptied(t)
	}
	holdGreatest(t, i, enrollment, versions)
}

// holdGreatest compares what is stored with every version that was sent.
func holdGreatest(t *testing.T, i institution, enrollment, versions int) {
	t.Helper()
	g := NewWithT(t)
	stored := i.completionOf(t, fmt.Sprintf("12345-123456-%d-987654321", enrollment))
	key := order.Of(&stored.Spec)
	for n := range versions {
		version := stored.Spec
		version.Event.SendAt = fmt.Sprintf("2023-07-03 12:%02d:00", n/2)
		version.Course.Name = fmt.Sprintf("Course %d", n)
		g.Expect(order.Compare(order.Of(&version), key)).To(BeNumerically("<=", 0),
			"version %d is greater than what is stored, %s of %s", n, stored.Spec.Course.Name, stored.Spec.Event.SendAt)
	}
	g.Expect(stored.Spec.Event.SendAt).To(Equal(fmt.Sprintf("2023-07-03 12:%02d:00", (versions-1)/2)))
	g.Expect(stored.Spec.Event.FirstSentAt.UTC()).To(Equal(time.Date(2023, time.July, 3, 15, 0, 0, 0, time.UTC)),
		"the least of the times, in the institution's zone")
}
