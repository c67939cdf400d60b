// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// An institution that is too fast is asked to wait, and nothing of what came too fast is stored; others go on.
func TestAnInstitutionIsHeldToItsRate(t *testing.T) {
	g := NewWithT(t)
	limited := newInstitution(t, func(i *v1alpha1.Institution) {
		i.Spec.Limits = v1alpha1.LimitsSpec{DeliveriesPerSecond: 1, Burst: 2}
	})
	other, server := newInstitution(t), start(t)
	url, otherURL := server.knows(t, limited), server.knows(t, other)
	var refused *reply
	for n := range 20 {
		got := post(t, url, edited(t, `"id": 11,`, `"id": `+strconv.Itoa(n+1)+`,`))
		if got.status == 429 {
			refused = &got
			break
		}
		g.Expect(got.status).To(Equal(200), got.text)
	}
	g.Expect(refused).NotTo(BeNil(), "none of many deliveries at once was too fast")
	g.Expect(refused.outcome()).To(Equal("rate-limited"))
	g.Expect(refused.header.Get("Retry-After")).To(Equal("1"))
	g.Expect(refused.header.Get("Content-Type")).To(Equal("application/problem+json"))
	g.Expect(server.log.audit(t, refused.deliveryID())).To(And(HaveKeyWithValue("organization.id", "12345"),
		HaveKeyWithValue("event.reason", "rate-limited"), HaveKeyWithValue("http.response.status_code", 429.0)))
	stored := limited.completions(t)

	// A check of the URL is no delivery.
	g.Expect(send(t, http.MethodGet, url, "").status).To(Equal(200))
	g.Expect(post(t, otherURL, example).outcome()).To(Equal("created"))
	g.Expect(limited.completions(t)).To(Equal(stored))
	g.Expect(scrape(t, server)).To(ContainSubstring(`completion_throttled_total{limit="institution-rate"}`))
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(Equal("created"))
}

// Whoever keeps failing is told to stop; whoever has a good token is taken from the very same address.
func TestAnAddressIsLimitedByItsFailuresOnly(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	server := start(t, func(o *webhookserver.Options) { o.FailedAuthenticationsPerMinute = 6 })
	g.Eventually(func() int { return get(t, server.HealthAddress(), "/readyz") }, patience).Should(Equal(200))
	url := server.knows(t, i)
	var refused reply
	failures := 0
	for ; failures < 100; failures++ {
		if refused = post(t, url+"x", example); refused.status != 401 {
			break
		}
	}
	g.Expect(refused.status).To(Equal(429), refused.text)
	g.Expect(refused.outcome()).To(Equal("too-many-failures"))
	seconds, err := strconv.Atoi(refused.header.Get("Retry-After"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seconds).To(And(BeNumerically(">=", 1), BeNumerically("<=", 10)))
	// An unknown institution is no more told apart by being too fast than by anything else.
	unknown := post(t, strings.Replace(url, "12345", "54321", 1), example)
	g.Expect(unknown.status).To(Equal(429), unknown.text)

	for range 20 {
		g.Expect(post(t, url, example).outcome()).To(BeElementOf("created", "duplicate"))
	}
	record := server.log.audit(t, refused.deliveryID())
	g.Expect(record).To(And(
		HaveKeyWithValue("completion.rejection", "wrong"), HaveKeyWithValue("event.reason", "too-many-failures")))
	g.Expect(record).NotTo(HaveKey("organization.id"))
	g.Expect(scrape(t, server)).To(ContainSubstring(`completion_throttled_total{limit="address-failures"}`))
}
