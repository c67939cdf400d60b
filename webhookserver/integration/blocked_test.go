// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// One delivery that the API always forbids, the oldest of all, and many behind it, of which one is tried at a time.
func TestADeliveryThatIsAlwaysForbiddenHoldsUpNoOther(t *testing.T) {
	const behind = 20
	g := NewWithT(t)
	i, server := newInstitution(t), start(t, brief, func(o *webhookserver.Options) { o.APIConcurrency = 1 })
	url := server.knows(t, i)
	numbered := func(n int) string { return edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, n)) }
	allow := refuseUnless(t, i, "!object.metadata.name.contains('-2000-')", metav1.StatusReasonForbidden)
	// It is in force once the delivery is not taken.
	g.Eventually(func() string {
		return post(t, url, numbered(2000)).outcome()
	}, patience).Should(Equal("queued"))
	before := i.completions(t)
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	var queued []string
	for n := range behind {
		queued = append(queued, post(t, url, numbered(3000+n)).outcome())
	}
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	g.Expect(queued).To(HaveEach("queued"))
	g.Eventually(func() int { return i.completions(t) }, 2*patience).Should(Equal(before + behind))
	g.Expect(server.log.String()).To(MatchRegexp(
		`"msg":"Stored delivery from the inbox".*"outcome":"created","waited":"`))
	g.Expect(server.gauge(t, "completion_inbox_records")).To(BeNumerically(">=", 1), "that one waits on")
	allow()
	server.emptied(t)
}

// What waits until its namespace is tried again need not wait any longer once a live delivery was taken there. No time
// goes by on the server's clock.
func TestALiveDeliveryThatIsStoredBringsWhatWaitsForItsNamespace(t *testing.T) {
	g := NewWithT(t)
	now := testingclock.NewFakeClock(time.Now())
	i, server := newInstitution(t), start(t, func(o *webhookserver.Options) { o.Clock = now })
	url := server.knows(t, i)
	number := 1000
	next := func() reply {
		number++
		return post(t, url, edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, number)))
	}
	allow := refuseUnless(t, i, "false", metav1.StatusReasonForbidden)
	var waiting reply
	g.Eventually(func() string {
		waiting = next()
		return waiting.outcome()
	}, patience).Should(Equal("queued"))
	stored := i.completions(t)
	g.Eventually(func() int {
		tried := 0
		for line := range strings.Lines(server.log.String()) {
			if strings.Contains(line, "Could not store delivery in the API") && strings.Contains(line, waiting.deliveryID()) {
				tried++
			}
		}
		return tried
	}, patience).Should(Equal(2), "refused as it came, and to the drainer")
	allow()
	g.Eventually(func() string {
		got := next()
		stored++
		return got.outcome()
	}, patience).Should(Equal("created"))
	g.Eventually(func() int {
		// What is due at once is due when the clock is looked at.
		now.Step(0)
		return i.completions(t)
	}, patience).Should(Equal(stored + 1))
	// Whatever was queued meanwhile is removed once its time has come.
	g.Eventually(func() float64 {
		now.Step(time.Second)
		return server.gauge(t, "completion_inbox_records")
	}, patience).Should(BeZero())
}
