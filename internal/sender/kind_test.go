// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
)

func TestParseMix(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       Mix
		wanted     string
	}{
		{name: "two kinds", text: "new=3, repeat=1", want: Mix{KindNew: 3, KindRepeat: 1}},
		{name: "the default", text: DefaultMix().String(), want: DefaultMix()},
		{name: "unknown kind", text: "new=3,odd=1", wanted: `"odd" in the mix is not a kind`},
		{name: "no share", text: "new", wanted: "use kind=share"},
		{name: "negative share", text: "new=-1", wanted: "use kind=share"},
		{name: "huge share", text: "new=9999999", wanted: "use kind=share"},
		{name: "twice", text: "new=1,new=2", wanted: "duplicate"},
		{name: "nothing", text: "new=0", wanted: "the mix is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			got, err := ParseMix(tc.text)
			if tc.wanted != "" {
				g.Expect(err).To(MatchError(ContainSubstring(tc.wanted)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(cmp.Diff(tc.want, got)).To(BeEmpty())
		})
	}
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		kind    Kind
		status  int
		outcome string
		want    Verdict
	}{
		{KindNew, 200, "created", VerdictAcknowledged},
		{KindRepeat, 200, "duplicate", VerdictAcknowledged},
		{KindOlder, 200, "queued", VerdictAcknowledged},
		{KindNew, 200, "", VerdictAcknowledged},
		// Nothing says that a platform takes these for a success.
		{KindNew, 201, "created", VerdictUnexpected},
		{KindNew, 202, "queued", VerdictUnexpected},
		{KindNew, 204, "", VerdictUnexpected},
		{KindNew, 200, "ignored", VerdictUnexpected},
		{KindRepeat, 200, "erased", VerdictUnexpected},
		{KindNewer, 503, "unavailable", VerdictPutOff},
		{KindTie, 429, "refused", VerdictPutOff},
		{KindNew, 422, "refused", VerdictUnexpected},
		{KindNew, 401, "refused", VerdictUnexpected},
		{KindNew, 500, "failed", VerdictUnexpected},
		{KindOtherEvent, 200, "ignored", VerdictIgnored},
		{KindOtherEvent, 200, "created", VerdictUnexpected},
		{KindOtherEvent, 422, "refused", VerdictUnexpected},
		{KindOtherEvent, 503, "unavailable", VerdictPutOff},
		{KindMalformed, 400, "refused", VerdictRejected},
		{KindInvalid, 422, "refused", VerdictRejected},
		{KindForeign, 422, "refused", VerdictRejected},
		{KindWrongToken, 401, "refused", VerdictRejected},
		{KindWrongToken, 429, "refused", VerdictRejected},
		{KindWrongToken, 503, "unavailable", VerdictPutOff},
		{KindWrongToken, 200, "created", VerdictUnexpected},
		{KindInvalid, 200, "queued", VerdictUnexpected},
		{KindMalformed, 422, "refused", VerdictUnexpected},
	} {
		if got := judge(tc.kind, Answer{Status: tc.status, Outcome: tc.outcome}); got != tc.want {
			t.Errorf("%d %s for %s is %s, want %s", tc.status, tc.outcome, tc.kind, got, tc.want)
		}
	}
}
