// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Kind is what a delivery is, compared with those before it.
type Kind string

const (
	// KindNew is the first delivery of a completion.
	KindNew Kind = "new"
	// KindRepeat is one that was sent before, byte for byte.
	KindRepeat Kind = "repeat"
	// KindNewer brings newer content for a completion that was sent before.
	KindNewer Kind = "newer"
	// KindOlder brings content that is older than what was sent before, as if it had been overtaken on the way.
	KindOlder Kind = "older"
	// KindTie brings other content with the time of what was sent before.
	KindTie Kind = "tie"
	// KindOtherEvent is about something else that happened on the platform, such as an enrollment.
	KindOtherEvent Kind = "other-event"
	// KindMalformed is not JSON.
	KindMalformed Kind = "malformed"
	// KindInvalid is JSON that breaks the contract.
	KindInvalid Kind = "invalid"
	// KindForeign names another institution than the URL.
	KindForeign Kind = "foreign"
	// KindWrongToken is a good delivery with a token that nobody was given.
	KindWrongToken Kind = "wrong-token"
)

// kinds in the order in which they are shown, and the only answers that a server may give them for good. A kind
// without any is one that it has to take.
var kinds = []struct {
	kind    Kind
	refused []int
}{
	{kind: KindNew},
	{kind: KindRepeat},
	{kind: KindNewer},
	{kind: KindOlder},
	{kind: KindTie},
	{kind: KindOtherEvent},
	{KindMalformed, []int{http.StatusBadRequest}},
	{KindInvalid, []int{http.StatusUnprocessableEntity}},
	{KindForeign, []int{http.StatusUnprocessableEntity}},
	// An address from which many wrong tokens come is told to wait.
	{KindWrongToken, []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
}

// Verdict is what an answer means for a delivery.
type Verdict string

const (
	// VerdictAcknowledged means that the server has taken a good delivery and may not lose it any more.
	VerdictAcknowledged Verdict = "acknowledged"
	// VerdictIgnored means that the server has acknowledged an event that is of no concern to it, and kept nothing.
	VerdictIgnored Verdict = "ignored"
	// VerdictRejected means that the server has refused a wrong delivery, and said so in the right way.
	VerdictRejected Verdict = "rejected"
	// VerdictPutOff means that the server could not take it now (429 or 503): it has promised nothing.
	VerdictPutOff Verdict = "put off"
	// VerdictFailed means that no answer came: the delivery may have been taken or not.
	VerdictFailed Verdict = "failed"
	// VerdictUnexpected means that the answer is not one that this delivery may get.
	VerdictUnexpected Verdict = "unexpected"
)

// What the server says of an event that is of no concern to it, and of a person whose data was erased, which nobody is
// whom the sender makes up.
const (
	outcomeIgnored = "ignored"
	outcomeErased  = "erased"
)

// judge says what an answer means for a delivery of a kind.
func judge(kind Kind, a Answer) Verdict {
	at := slices.IndexFunc(kinds, func(k struct {
		kind    Kind
		refused []int
	}) bool {
		return k.kind == kind
	})
	refused := kinds[at].refused
	taken := len(refused) == 0 && a.Status == http.StatusOK
	switch {
	case taken && kind == KindOtherEvent && a.Outcome == outcomeIgnored:
		return VerdictIgnored
	case taken && kind != KindOtherEvent && a.Outcome != outcomeIgnored && a.Outcome != outcomeErased:
		return VerdictAcknowledged
	case slices.Contains(refused, a.Status):
		return VerdictRejected
	case a.Status == http.StatusServiceUnavailable, a.Status == http.StatusTooManyRequests:
		return VerdictPutOff
	default:
		return VerdictUnexpected
	}
}

// Mix says how often each kind is sent, in shares of their sum.
type Mix map[Kind]int

// DefaultMix is a platform that mostly reports new completions, repeats and overtakes itself at times, and is now and
// then wrong.
func DefaultMix() Mix {
	return Mix{
		KindNew: 57, KindRepeat: 12, KindNewer: 12, KindOlder: 6, KindTie: 2, KindOtherEvent: 3,
		KindMalformed: 2, KindInvalid: 3, KindForeign: 1, KindWrongToken: 2,
	}
}

// maxShare bounds a share, so that no sum of them overflows.
const maxShare = 1_000_000

// ParseMix reads shares such as new=8,repeat=1,newer=1. Kinds that are not named are not sent.
func ParseMix(text string) (Mix, error) {
	mix := make(Mix)
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		kind := Kind(name)
		share, err := strconv.Atoi(number)
		if err != nil || share < 0 || share > maxShare {
			return nil, fmt.Errorf("%q in the mix: use kind=share with an integer share from 0 to %d", part, maxShare)
		}
		if _, twice := mix[kind]; twice {
			return nil, fmt.Errorf("duplicate %q in the mix", name)
		}
		mix[kind] = share
	}
	return mix, mix.validate()
}

func (m Mix) validate() error {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k.kind))
	}
	for kind := range maps.Keys(m) {
		if !slices.Contains(names, string(kind)) {
			return fmt.Errorf("%q in the mix is not a kind of delivery: use %s", kind, strings.Join(names, ", "))
		}
	}
	if m.sum() < 1 {
		return fmt.Errorf("the mix is empty: at least one of %s needs a share", strings.Join(names, ", "))
	}
	return nil
}

func (m Mix) sum() int {
	sum := 0
	for _, share := range m {
		sum += share
	}
	return sum
}

// String is the text that ParseMix reads.
func (m Mix) String() string {
	var parts []string
	for _, k := range kinds {
		if share := m[k.kind]; share > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", k.kind, share))
		}
	}
	return strings.Join(parts, ",")
}

// draw returns a kind.
func (m Mix) draw(random *rand.Rand) Kind {
	left := random.IntN(m.sum())
	for _, k := range kinds {
		if left -= m[k.kind]; left < 0 {
			return k.kind
		}
	}
	return KindNew
}
