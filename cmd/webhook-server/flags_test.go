// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// Whoever rotates the audit log moves it away and sends SIGHUP.
func TestTheAuditLogIsOpenedAgainOnHangup(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	audit, err := webhookserver.OpenAuditLog(path)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = audit.Close() })
	reopenOnHangup(t.Context(), &webhookserver.Options{Audit: audit, Log: logr.Discard()})
	for range 3 {
		g.Expect(os.Rename(path, path+".1")).To(Succeed())
		g.Expect(syscall.Kill(os.Getpid(), syscall.SIGHUP)).To(Succeed())
		g.Eventually(path, time.Minute, 10*time.Millisecond).Should(BeAnExistingFile())
	}
}

func TestExposureFlags(t *testing.T) {
	parse := func(args ...string) (e webhookserver.Exposure, err error) {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		bindExposure(flags, &e)
		err = flags.Parse(args)
		return e, err
	}
	g := NewWithT(t)
	preset, err := parse()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(preset.TrustedProxies).To(BeEmpty(), "nobody is trusted unless somebody says so")
	g.Expect(preset.FailedAuthenticationsPerMinute).To(BeNumerically(">", 0))
	g.Expect(preset.MaxConnections).To(BeNumerically(">", 0))
	set, err := parse("--trusted-proxies=10.0.0.0/8,192.0.2.1", "--max-connections=7")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(set.TrustedProxies).To(HaveLen(2))
	g.Expect(set.MaxConnections).To(Equal(7))
	_, err = parse("--trusted-proxies=ingress")
	g.Expect(err).To(MatchError(ContainSubstring("is not a trusted proxy")))
}
