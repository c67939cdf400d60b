// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

var noon = time.Unix(1_700_000_000, 0)

func TestFailuresOfAnAddress(t *testing.T) {
	g := NewRates(2)
	for _, tc := range []struct {
		name    string
		address string
		after   time.Duration
		want    time.Duration
	}{
		{"the first", "203.0.113.1", 0, 0},
		{"the second", "203.0.113.1", 0, 0},
		{"one too many", "203.0.113.1", 0, 30 * time.Second},
		{"asking again costs nothing", "203.0.113.1", 0, 30 * time.Second},
		{"another address", "203.0.113.2", 0, 0},
		{"a little later", "203.0.113.1", 20 * time.Second, 10 * time.Second},
		{"when there is room for one", "203.0.113.1", 30 * time.Second, 0},
		{"but for one only", "203.0.113.1", 30 * time.Second, 30 * time.Second},
		{"IPv6", "2001:db8::1", 0, 0},
		{"the same subscriber", "2001:db8::2", 0, 0},
		{"the same subscriber again", "2001:db8::ffff:0:0:1", 0, 30 * time.Second},
		{"another subscriber", "2001:db8:0:1::1", 0, 0},
		{"not known", "", 0, 0},
		{"not known either", "", 0, 0},
		{"not known once more", "", 0, 30 * time.Second},
	} {
		address := netip.Addr{}
		if tc.address != "" {
			address = netip.MustParseAddr(tc.address)
		}
		if got := g.AuthenticationFailed(address, noon.Add(tc.after)).Round(time.Millisecond); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	if unlimited := NewRates(0); unlimited.AuthenticationFailed(netip.Addr{}, noon) != 0 ||
		unlimited.addresses.recent.Len() != 0 {
		t.Error("without a limit nothing is counted")
	}
}

func TestRateOfAnInstitution(t *testing.T) {
	g := NewRates(0)
	institution := func(uid string, perSecond, burst int32) *v1alpha1.Institution {
		return &v1alpha1.Institution{
			ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)},
			Spec: v1alpha1.InstitutionSpec{
				Limits: v1alpha1.LimitsSpec{DeliveriesPerSecond: perSecond, Burst: burst},
			},
		}
	}
	// passed is how many of a hundred deliveries at the same moment are taken.
	passed := func(i *v1alpha1.Institution, after time.Duration) (n int) {
		for range 100 {
			if g.Delivery(i, noon.Add(after)) == 0 {
				n++
			}
		}
		return n
	}
	for _, tc := range []struct {
		name        string
		institution *v1alpha1.Institution
		after       time.Duration
		want        int
	}{
		{"no limit", institution("a", 0, 0), 0, 100},
		{"a burst", institution("b", 10, 25), 0, 25},
		{"the rate after it", institution("b", 10, 25), time.Second, 10},
		{"a full bucket and no more", institution("b", 10, 25), time.Hour, 25},
		{"no burst: as many as the rate", institution("c", 10, 0), 0, 10},
		{"a smaller burst from now on", institution("b", 10, 5), 2 * time.Hour, 5},
		{"what was earned at the old rate", institution("b", 50, 60), 2*time.Hour + time.Second, 5},
		{"a higher rate from now on", institution("b", 50, 60), 2*time.Hour + 2*time.Second, 50},
	} {
		if got := passed(tc.institution, tc.after); got != tc.want {
			t.Errorf("%s: %d passed, want %d", tc.name, got, tc.want)
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	const most = 3
	b := newBuckets(most)
	take := func(key string) bool { return b.take(key, rate.Limit(1), 1, noon) == 0 }
	for n := range most {
		take(fmt.Sprint(n))
	}
	if take("0") {
		t.Error("the first is forgotten too early")
	}
	// 1 is now the one that was not used for the longest time.
	take("3")
	if b.recent.Len() != most {
		t.Errorf("%d remembered, want %d", b.recent.Len(), most)
	}
	if take("0") || take("2") || take("3") || !take("1") {
		t.Error("another one than the longest unused is forgotten")
	}
}
