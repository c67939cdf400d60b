// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package diagnostics serves what is about a program itself: its probes, to everybody, and its metrics, over TLS and to
// those who may read them. Everybody in the cluster may reach these ports, so connections, headers and the requests to
// the API server that they lead to are bounded.
package diagnostics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"
)

// Those for whom probes and metrics are served are few, near and quick.
const (
	maxConnections           = 128
	maxConnectionsPerAddress = 16
	maxHeaderBytes           = 4 << 10
	readTimeout              = 5 * time.Second
	writeTimeout             = 30 * time.Second
	idleTimeout              = 2 * time.Minute
)

// None tells whether an address means that nothing is to be served.
func None(address string) bool { return address == "" || address == "0" }

// Bound bounds what the callers of a server can take up. It returns the listener to serve.
func Bound(listener net.Listener, server *http.Server) net.Listener {
	limited := Limit(listener, maxConnections, clock.RealClock{})
	limited.perAddress = maxConnectionsPerAddress
	server.ConnState = limited.Observe
	server.MaxHeaderBytes = maxHeaderBytes
	server.ReadHeaderTimeout, server.ReadTimeout = readTimeout, readTimeout
	server.WriteTimeout, server.IdleTimeout = writeTimeout, idleTimeout
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	return limited
}

// Secure serves a listener over TLS, with a certificate that is made for this start: who reads the metrics shows who he
// is, and nobody is asked to believe the server.
func Secure(listener net.Listener) (net.Listener, error) {
	certificate, key, err := cert.GenerateSelfSignedCertKeyWithFixtures("localhost", []net.IP{{127, 0, 0, 1}}, nil, "")
	if err != nil {
		return nil, fmt.Errorf("create a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("use the certificate: %w", err)
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"},
	}), nil
}

// Listen opens a port for a handler, over TLS if it is to be secure. It returns what the server is to serve.
func Listen(
	ctx context.Context, address string, handler http.Handler, secure bool,
) (*http.Server, net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readTimeout}
	bounded := Bound(listener, server)
	if !secure {
		return server, bounded, nil
	}
	secured, err := Secure(bounded)
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	return server, secured, nil
}
