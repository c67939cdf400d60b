// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"net/netip"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
)

// unknownAddress is what audit records have for an address that cannot be known.
const unknownAddress = "unknown"

const helpProxies = "set --trusted-proxies to the addresses of the proxies in front, and nothing else, on the " +
	"webhook server (see docs/security.md, Who may deliver)"

// arrival looks in the audit log how a call arrived that was made between two moments: from which address, and by which
// clock.
func (e *examination) arrival(ctx context.Context, url, deliveryID string, before, after time.Time) error {
	check := "address of this machine at " + url
	found, err := deliveries.FindArrival(ctx, e.Factory, deliveryID)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case apierrors.IsForbidden(err):
		return e.unseen(check, err)
	case err != nil:
		e.warning(check, "kubectl course deliveries --checks --since 1h", "is not known: %v", err)
		return nil
	}
	e.judgeArrival(check, found)
	e.compareClocks("clock of "+found.Pod, "the pod", found.Time, before, after)
	return nil
}

// judgeArrival says what --trusted-proxies makes of the address that arrives.
func (e *examination) judgeArrival(check string, found *deliveries.Arrival) {
	address, err := netip.ParseAddr(found.Client)
	switch {
	case found.Client == unknownAddress || err != nil:
		e.problem(check, "let "+found.Proxy+" write the address of its client into X-Forwarded-For",
			"is unknown: the trusted proxy %s passed on no valid address, so allowedCIDRs admits nobody", found.Proxy)
	case found.Proxy != "":
		e.ok(check, "is %s, which the trusted proxy %s passed on: allowedCIDRs and limits go by it", address, found.Proxy)
	case trusts(found.TrustedProxies, address):
		e.problem(check, "let it add the address of its client to X-Forwarded-For",
			"is that of the trusted proxy %s, which passed on none: all senders count as one", address)
	case address.IsPrivate():
		e.warning(check, helpProxies+"; without a proxy in front, this is fine",
			"is %s, a private one that --trusted-proxies "+
				"does not name: if that is a proxy, all senders count as one", address)
	default:
		e.ok(check, "is %s, without a trusted proxy in between: allowedCIDRs and limits go by it", address)
	}
}

// trusts reports whether a value of --trusted-proxies has an address.
func trusts(proxies string, address netip.Addr) bool {
	for text := range strings.SplitSeq(proxies, ",") {
		text = strings.TrimSpace(text)
		if network, err := netip.ParsePrefix(text); err == nil && network.Contains(address) {
			return true
		}
		if one, err := netip.ParseAddr(text); err == nil && one.Unmap() == address {
			return true
		}
	}
	return false
}
