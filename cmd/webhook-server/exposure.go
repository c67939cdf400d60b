// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// bindExposure declares the flags about who can reach the webhook and how.
func bindExposure(flags *flag.FlagSet, e *webhookserver.Exposure) {
	flags.Func("trusted-proxies", "The addresses or CIDRs, separated by commas, of proxies whose X-Forwarded-For is "+
		"believed. (default none)", func(text string) (err error) {
		e.TrustedProxies, err = throttle.ParseTrustedProxies(text)
		return err
	})
	flags.IntVar(&e.FailedAuthenticationsPerMinute, "failed-authentications-per-minute", 60,
		"How many authentications of one address (of one /64 network of IPv6) may fail in a minute; more get 429. "+
			"Good tokens are always taken. 0 is any number.")
	flags.IntVar(&e.StrangerRecordsPerMinute, "stranger-records-per-minute", 60,
		"How many calls of one address (of one /64 network of IPv6) without a good token get an audit record of their own "+
			"in a minute, those of all together ten times as many; the rest are summarised. 0 is any number.")
	flags.IntVar(&e.MaxConnections, "max-connections", 1024,
		"How many connections of the webhook may be open; over half of them deliveries of one institution may be read at a "+
			"time. 0 is any number.")
	flags.StringVar(&e.TLSCertFile, "tls-cert-file", "",
		"The certificate of the webhook with its chain, in PEM; read again when it changes. Empty: HTTP, without TLS.")
	flags.StringVar(&e.TLSKeyFile, "tls-key-file", "", "The key of that certificate, in PEM.")
}
