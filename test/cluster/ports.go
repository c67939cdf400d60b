// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
)

// portRange is where fixed ports are taken from: below the range from which the kernel gives ports to outgoing
// connections. Within that range a client that dials a killed API server again and again can be given the very port
// of the API server, and keep it from coming back.
func portRange(ephemeral string) (first, last int) {
	const width, lowest = 10000, 2048
	start := 0
	if n, err := fmt.Sscan(ephemeral, &start); n != 1 || err != nil || start < lowest+width {
		start = 32768
	}
	return start - width, start - 1
}

// freePorts returns n different ports on 127.0.0.1 that nobody listens on.
func freePorts(n int) ([]int, error) {
	// The file is Linux's; elsewhere the range starts higher than the default of portRange.
	ephemeral, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading the range of ephemeral ports: %w", err)
	}
	first, last := portRange(strings.TrimSpace(string(ephemeral)))
	var ports []int
	for range 50 * n {
		port := first + rand.IntN(last-first+1)
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		// Held until all are found, so that none is found twice.
		defer listener.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("found only %d of %d free ports between %d and %d on 127.0.0.1", len(ports), n, first, last)
}
