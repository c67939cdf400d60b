// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"flag"
	"net"
	"net/http"
	"runtime"
	"testing"

	. "github.com/onsi/gomega"
)

func profilesAt(t *testing.T, address string) *Profiles {
	t.Helper()
	var p Profiles
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	p.Bind(flags)
	NewWithT(t).Expect(flags.Parse([]string{"--pprof-address=" + address})).To(Succeed())
	return &p
}

func TestProfilesAreForThisMachineOnly(t *testing.T) {
	for address, allowed := range map[string]bool{
		"0": true, "": true, "127.0.0.1:6060": true, "[::1]:6060": true, "localhost:6060": true,
		":6060": false, "0.0.0.0:6060": false, "[::]:6060": false, "10.0.0.1:6060": false, "6060": false,
	} {
		err := profilesAt(t, address).Validate()
		NewWithT(t).Expect(err == nil).To(Equal(allowed), "%q: %v", address, err)
	}
}

func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	g := NewWithT(t)
	none, err := profilesAt(t, "0").Serve(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(runtime.SetMutexProfileFraction(-1)).To(BeZero(), "waits for mutexes are noted without need")
	g.Expect(none()).To(Succeed())

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	g.Expect(listener.Close()).To(Succeed())
	stop, err := profilesAt(t, address).Serve(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { runtime.SetMutexProfileFraction(0) })
	g.Expect(runtime.SetMutexProfileFraction(-1)).To(BeNumerically(">", 0))
	for _, kind := range []string{"heap", "allocs", "mutex", "profile?seconds=1"} {
		response, err := http.Get("http://" + address + "/debug/pprof/" + kind)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(response.StatusCode).To(Equal(http.StatusOK), kind)
		g.Expect(response.Body.Close()).To(Succeed())
	}
	g.Expect(stop()).To(Succeed())
	_, err = net.Dial("tcp", address)
	g.Expect(err).To(HaveOccurred())
}
