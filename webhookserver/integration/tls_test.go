// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// mount is a folder with a certificate and its key as the kubelet keeps one of a Secret: behind a symbolic link that is
// moved, so that both files change at once.
type mount struct {
	dir string
	n   int
}

func (m *mount) file(name string) string { return filepath.Join(m.dir, name) }

// put replaces both files.
func (m *mount) put(t *testing.T, cert, key []byte) {
	t.Helper()
	g := NewWithT(t)
	m.n++
	version := strings.Repeat("v", m.n)
	g.Expect(os.Mkdir(m.file(version), 0o700)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(m.dir, version, "tls.crt"), cert, 0o600)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(m.dir, version, "tls.key"), key, 0o600)).To(Succeed())
	g.Expect(os.Symlink(version, m.file("..new"))).To(Succeed())
	g.Expect(os.Rename(m.file("..new"), m.file("..data"))).To(Succeed())
	if m.n == 1 {
		for _, name := range []string{"tls.crt", "tls.key"} {
			g.Expect(os.Symlink(filepath.Join("..data", name), m.file(name))).To(Succeed())
		}
	}
}

// newPair makes a certificate for loopback that vouches for itself.
func newPair(t *testing.T, serial int64) (cert, key []byte, pool *x509.CertPool) {
	t.Helper()
	g := NewWithT(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "webhook"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	g.Expect(err).NotTo(HaveOccurred())
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	g.Expect(err).NotTo(HaveOccurred())
	parsed, err := x509.ParseCertificate(der)
	g.Expect(err).NotTo(HaveOccurred())
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pool
}

// handshake returns the serial number of the certificate that the server shows, or 0.
func handshake(server *running, config *tls.Config) (serial int64, state tls.ConnectionState, err error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", server.WebhookAddress(), config)
	if err != nil {
		return 0, state, err
	}
	defer conn.Close()
	state = conn.ConnectionState()
	return state.PeerCertificates[0].SerialNumber.Int64(), state, nil
}

func certificateErrors(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.(prometheus.Gatherer).Gather()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() == "certwatcher_read_certificate_errors_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

func TestTLSEndsHere(t *testing.T) {
	g := NewWithT(t)
	i, files := newInstitution(t), &mount{dir: t.TempDir()}
	cert, key, pool := newPair(t, 1)
	files.put(t, cert, key)
	server := start(t, func(o *webhookserver.Options) {
		o.TLSCertFile, o.TLSKeyFile = files.file("tls.crt"), files.file("tls.key")
	})
	g.Eventually(func() int { return get(t, server.HealthAddress(), "/readyz") }, patience).Should(Equal(200))
	plain := httpClient
	httpClient = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}
	t.Cleanup(func() { httpClient.CloseIdleConnections(); httpClient = plain })
	url := strings.Replace(server.url(i), "http:", "https:", 1)
	g.Eventually(func() int { return send(t, http.MethodGet, url, "").status }, patience).Should(Equal(200))
	g.Expect(post(t, url, example).outcome()).To(Equal("created"))

	_, state, err := handshake(server, &tls.Config{
		RootCAs: pool, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(state.Version).To(BeNumerically("==", tls.VersionTLS13))
	// Many requests in one connection would get past the limit of connections.
	g.Expect(state.NegotiatedProtocol).To(Equal("http/1.1"))
	_, _, err = handshake(server, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	g.Expect(err).To(MatchError(ContainSubstring("protocol version")))

	conn := dial(t, server)
	write(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	g.Expect(expectHungUp(t, conn)).To(HavePrefix("HTTP/1.0 400 "))
}

// A new pair is used without a restart. One that cannot be used is told, and changes nothing.
func TestTheCertificateIsReadAgain(t *testing.T) {
	g := NewWithT(t)
	files := &mount{dir: t.TempDir()}
	cert, key, pool := newPair(t, 1)
	files.put(t, cert, key)
	server := start(t, func(o *webhookserver.Options) {
		o.TLSCertFile, o.TLSKeyFile = files.file("tls.crt"), files.file("tls.key")
	})
	shown := func(pool *x509.CertPool) int64 {
		serial, _, _ := handshake(server, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
		return serial
	}
	g.Expect(shown(pool)).To(BeEquivalentTo(1))

	errors := certificateErrors(t)
	other, _, _ := newPair(t, 2)
	files.put(t, other, key)
	g.Eventually(func() float64 { return certificateErrors(t) }, patience).Should(BeNumerically(">", errors))
	g.Expect(shown(pool)).To(BeEquivalentTo(1))

	cert, key, pool = newPair(t, 3)
	files.put(t, cert, key)
	g.Eventually(func() int64 { return shown(pool) }, patience).Should(BeEquivalentTo(3))
}

func TestTLSThatCannotBe(t *testing.T) {
	config, err := controlPlane.ServiceAccountConfig(t.Context(), systemNamespace, serviceAccount)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, tc := range map[string]struct{ cert, key, want string }{
		"a certificate alone": {"tls.crt", "", "set both files or neither"},
		"a key alone":         {"", "tls.key", "set both files or neither"},
		"no such files":       {"/missing/tls.crt", "/missing/tls.key", "reading the TLS certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhookserver.New(t.Context(), webhookserver.Options{
				Config: config, ListenAddress: "127.0.0.1:0", HealthAddress: "127.0.0.1:0", MetricsAddress: "127.0.0.1:0",
				Registry: prometheus.NewRegistry(), Storage: newStorage(t), Clock: clock.RealClock{},
				Exposure: webhookserver.Exposure{TLSCertFile: tc.cert, TLSKeyFile: tc.key},
			})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}
