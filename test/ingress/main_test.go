//go:build ingress

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingress has deliveries come from outside through Traefik, which is built from its Go module and fed by the
// shipped Ingress and HTTPRoute. Traefik finds the webhook server as in a cluster, by the shipped Service and the
// EndpointSlice that the API server's controllers make for its pod.
package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// patience bounds what is waited for. Only a failure takes so long.
	patience = 3 * time.Minute
	// often is how often a condition is looked at.
	often = 100 * time.Millisecond
	// outside is the address of the learning platform.
	outside = "127.0.0.9"
	// host is that of the Ingress, and routeHost that of the HTTPRoute.
	host, routeHost = "ingress.example.com", "gateway.example.com"
)

// world is an installation behind Traefik.
type world struct {
	plane    *cluster.Cluster
	admin    client.Client
	operator *system.System
	// pod is the address of the webhook server, and of Traefik as the webhook server sees it.
	pod string
	// auditLog is the file with the audit records.
	auditLog string
	// http and https are where Traefik listens.
	http, https string
	// platform sends from outside, and trusts the certificate of both hosts.
	platform *http.Client
}

// startWorld installs the operator as docs/install.md says, behind Traefik.
func startWorld(t *testing.T) *world {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	dir := t.TempDir()
	w := &world{pod: ownAddress(t), auditLog: filepath.Join(dir, "audit.jsonl"), http: free(t, "127.0.0.1"),
		https: free(t, "127.0.0.1")}
	traefik := buildTraefik(t)
	bin := filepath.Join(dir, "bin")
	g.Expect(system.Build(ctx, bin, t.Output())).To(Succeed())
	var err error
	w.plane, err = cluster.Start(ctx, cluster.Options{Stderr: t.Output()})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(w.plane.Stop()).To(Succeed()) })
	w.admin, err = system.NewClient(w.plane.AdminConfig())
	g.Expect(err).NotTo(HaveOccurred())

	server := free(t, w.pod)
	w.install(t, server)
	w.operator, err = system.StartInstalled(ctx, w.plane, system.Options{
		Dir: filepath.Join(dir, "programs"), Bin: bin,
		WebhookServerArgs: []string{
			"--listen-address=" + server, "--trusted-proxies=" + w.pod, "--audit-log=" + w.auditLog,
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of the webhook server:\n%s", w.operator.WebhookServer.LogTail())
		}
		g.Expect(w.operator.Stop()).To(Succeed())
	})
	w.operator.Replicas[0].URL = "http://" + server
	w.runPod(t)
	w.gateway(t)
	w.platform = w.client(t, w.certificates(t))
	w.startTraefik(t, traefik)
	return w
}

// ownAddress returns an address of this machine that is not loopback: those are refused as addresses of pods. What is
// sent there does not leave the machine.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	t.Fatal("this machine has no IPv4 address but loopback, which the API server takes for no pod")
	return ""
}

// free returns an address with a port that nobody uses.
func free(t *testing.T, ip string) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// install applies an overlay of config/examples/ingress and config/examples/gateway, with the values of this place.
func (w *world) install(t *testing.T, server string) {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	_, port, err := net.SplitHostPort(server)
	g.Expect(err).NotTo(HaveOccurred())
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	folder, err := filepath.EvalSymlinks(t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	base, err := filepath.Rel(folder, filepath.Join(root, "config"))
	g.Expect(err).NotTo(HaveOccurred())
	overlay, err := os.ReadFile(filepath.Join("testdata", "kustomization.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	text := strings.NewReplacer("CONFIG", base, "PORT", port, "POD", w.pod).Replace(string(overlay))
	g.Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())

	routes, err := gatewayAPI.Files(ctx, "config/crd/standard/gateway.networking.k8s.io_*s.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = w.plane.Kubectl(ctx, "apply", "--server-side", "-f", strings.Join(routes, ","))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.plane.AwaitKinds(ctx)).To(Succeed())
	_, err = w.plane.Kubectl(ctx, "apply", "--server-side", "-k", folder)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.plane.AwaitKinds(ctx)).To(Succeed())
}

// runPod has the pod of the webhook server run at its address.
func (w *world) runPod(t *testing.T) {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	g.Expect(w.operator.Scale(ctx)).To(Succeed())
	node := system.NewNode(w.operator)
	t.Cleanup(node.Close)
	g.Expect(node.Register(ctx, w.admin, true)).To(Succeed())
	g.Eventually(func(g Gomega) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace, Name: system.ReplicaPod(0)}}
		g.Expect(w.admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		pod.Status.PodIP, pod.Status.PodIPs = w.pod, []corev1.PodIP{{IP: w.pod}}
		g.Expect(w.admin.Status().Update(ctx, pod)).To(Succeed())
	}, patience, often).Should(Succeed())
}

// client returns one that connects from outside to where Traefik listens, whatever the host.
func (w *world) client(t *testing.T, trusted *x509.CertPool) *http.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(outside)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			switch {
			case err != nil:
				return nil, err
			case port == "443":
				return dialer.DialContext(ctx, network, w.https)
			case port == "80":
				return dialer.DialContext(ctx, network, w.http)
			default:
				return nil, errors.New("nothing is there but ports 80 and 443")
			}
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// url returns the webhook URL of an institution at a host.
func url(i *system.Institution, scheme, host string) string {
	_, path, _ := strings.Cut(i.URLs[0], "/webhooks/")
	return fmt.Sprintf("%s://%s/webhooks/%s", scheme, host, path)
}
