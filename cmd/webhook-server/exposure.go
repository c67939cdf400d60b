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
	flags.Func("trusted-proxies", "The proxies whose X-Forwarded-For header is trusted: addresses or CIDRs, "+
		"separated by commas. (default none)", func(text string) (err error) {
		e.TrustedProxies, err = throttle.ParseTrustedProxies(text)
		return err
	})
	flags.IntVar(&e.FailedAuthenticationsPerMinute, "failed-authentications-per-minute", 60,
		"The number of failed authentications per minute from one address (one /64 network for IPv6); further ones get 429. "+
			"Valid tokens are always accepted. 0 means no limit.")
	flags.IntVar(&e.StrangerRecordsPerMinute, "stranger-records-per-minute", 60,
		"The number of requests per minute without a valid token, from one address (one /64 network for IPv6), that get an "+
			"audit record each; ten times as many for all addresses together. The rest are summarized. 0 means no limit.")
	flags.IntVar(&e.MaxConnections, "max-connections", 1024,
		"The maximum number of open webhook connections. At most half of them may read deliveries of the same institution "+
			"at a time. 0 means no limit.")
	flags.StringVar(&e.TLSCertFile, "tls-cert-file", "",
		"The TLS certificate of the webhook with its chain, in PEM; reloaded when it changes. If empty, the webhook is "+
			"served over HTTP.")
	flags.StringVar(&e.TLSKeyFile, "tls-key-file", "", "The private key for --tls-cert-file, in PEM.")
}
