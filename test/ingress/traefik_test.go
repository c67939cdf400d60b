//go:build ingress

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/modules"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

var (
	traefikModule = modules.Module{
		Path: "github.com/traefik/traefik/v3", Version: "v3.7.13",
		Sum: "h1:T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw=",
	}
	// lego gets certificates by ACME, for which it knows the DNS of two hundred hosters.
	lego = modules.Module{
		Path: "github.com/go-acme/lego/v5", Version: "v5.4.1",
		Sum: "h1:Jt6xAP9xQrJ3SLLGgxejfDDd3pzdrmuLCWe4oTqHHQc=",
	}
	// gatewayAPI has the CRDs.
	gatewayAPI = modules.Module{
		Path: "sigs.k8s.io/gateway-api", Version: "v1.6.3",
		Sum: "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
	}
)

// buildTraefik returns the path of the program. It is built as a release is, with the dependencies of its own go.mod,
// but for what the module proxy does not have, and for the DNS of all hosters, which is a third of everything.
func buildTraefik(t *testing.T) string {
	t.Helper()
	g, folder := NewWithT(t), t.TempDir()
	traefik, hosters := filepath.Join(folder, "traefik"), filepath.Join(folder, "lego")
	unpack(t, traefikModule, traefik, "go.mod", "go.sum", "cmd", "internal", "pkg", "webui")
	unpack(t, lego, hosters, ".")
	for path, text := range map[string]string{
		// A module within, to be replaced by those who extend Traefik; the zip of a module has no other modules.
		filepath.Join(traefik, "pkg/config/dynamic/ext/go.mod"): "module github.com/traefik/traefik/dynamic/ext\n",
		filepath.Join(traefik, "pkg/config/dynamic/ext/ext.go"): `package ext

type (
	HTTP   struct{}
	Router struct{}
)
`,
		filepath.Join(hosters, "providers/dns/zz_gen_dns_providers.go"): `package dns

import (
	"errors"

	"github.com/go-acme/lego/v5/challenge"
)

func NewDNSChallengeProviderByName(string) (challenge.Provider, error) {
	return nil, errors.New("no DNS provider is built in")
}
`,
	} {
		g.Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
		g.Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	}
	run := func(args ...string) {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = traefik
		command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		output, err := command.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), string(output))
	}
	run("mod", "edit", "-replace="+lego.Path+"=../lego",
		// The version that it names is not public; this is the one before.
		"-replace=github.com/abbot/go-http-auth="+
			"github.com/containous/go-http-auth@v0.4.1-0.20200324110947-a37a7636d23e")
	program := filepath.Join(folder, "program")
	// Without the paths of this folder, what is compiled is found again the next time.
	run("build", "-trimpath", "-mod=mod", "-o", program, "./cmd/traefik")
	return program
}

// unpack copies files and folders of a module to where they can be changed.
func unpack(t *testing.T, m modules.Module, to string, names ...string) {
	t.Helper()
	g := NewWithT(t)
	source, err := m.Download(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range names {
		from := filepath.Join(source, name)
		info, err := os.Stat(from)
		g.Expect(err).NotTo(HaveOccurred())
		if info.IsDir() {
			g.Expect(os.CopyFS(filepath.Join(to, name), os.DirFS(from))).To(Succeed())
			continue
		}
		text, err := os.ReadFile(from)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(os.MkdirAll(to, 0o700)).To(Succeed())
		g.Expect(os.WriteFile(filepath.Join(to, name), text, 0o600)).To(Succeed())
	}
}

// startTraefik starts it with the rights that its documentation gives it, and ends it with the test.
func (w *world) startTraefik(t *testing.T, program string) {
	t.Helper()
	g, dir := NewWithT(t), t.TempDir()
	config, err := w.plane.ServiceAccountConfig(t.Context(), "default", "traefik-controller")
	g.Expect(err).NotTo(HaveOccurred())
	token, authority := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
	g.Expect(os.WriteFile(token, []byte(config.BearerToken), 0o600)).To(Succeed())
	g.Expect(rest.LoadTLSFiles(config)).To(Succeed())
	g.Expect(os.WriteFile(authority, config.CAData, 0o600)).To(Succeed())

	args := []string{
		// Nothing is asked for or sent outside.
		"--global.checknewversion=false", "--global.sendanonymoususage=false",
		"--entrypoints.web.address=" + w.http, "--entrypoints.websecure.address=" + w.https, "--log.level=INFO",
	}
	for _, provider := range []string{"kubernetesingress", "kubernetesgateway"} {
		provider = "--providers." + provider
		args = append(args, provider+"=true", provider+".endpoint="+w.plane.Server(), provider+".token="+token,
			provider+".certauthfilepath="+authority)
	}
	log, err := os.Create(filepath.Join(dir, "traefik.log"))
	g.Expect(err).NotTo(HaveOccurred())
	traefik := exec.Command(program, args...)
	traefik.Stdout, traefik.Stderr = log, log
	g.Expect(cluster.Spawn(traefik)).To(Succeed())
	t.Cleanup(func() {
		g.Expect(traefik.Process.Signal(syscall.SIGTERM)).To(Succeed())
		// It says nothing about its end but that it was asked for.
		_ = traefik.Wait()
		_ = log.Close()
		if t.Failed() {
			t.Logf("the end of the log of Traefik:\n%s", cluster.Tail(log.Name(), 40))
		}
	})
	g.Eventually(func() error {
		connection, err := net.Dial("tcp", w.https)
		if err == nil {
			err = connection.Close()
		}
		return err
	}, patience, often).Should(Succeed())
}

// certificates gives both hosts a certificate, as Secrets where the shipped manifests look for them, and returns who
// signed it.
func (w *world) certificates(t *testing.T) *x509.CertPool {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{host, routeHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	g.Expect(err).NotTo(HaveOccurred())
	private, err := x509.MarshalPKCS8PrivateKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	for namespace, name := range map[string]string{
		system.Namespace: "completion-webhook-server-tls", "gateway-system": "gateway-tls",
	} {
		g.Expect(w.admin.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{
				corev1.TLSCertKey: certificate,
				corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{
					Type: "PRIVATE KEY", Bytes: private,
				}),
			},
		})).To(Succeed())
	}
	trusted := x509.NewCertPool()
	g.Expect(trusted.AppendCertsFromPEM(certificate)).To(BeTrue())
	return trusted
}

// gateway makes what the platform team has before the operator comes: a class, the Gateway that the HTTPRoute names,
// with a listener for plain HTTP as well, and Traefik's rights.
func (w *world) gateway(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	text, err := os.ReadFile(filepath.Join("testdata", "traefik.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	filled := strings.NewReplacer("HTTP_PORT", port(w.http), "HTTPS_PORT", port(w.https)).Replace(string(text))
	_, err = w.plane.KubectlInput(t.Context(), strings.NewReader(filled), "apply", "--server-side", "-f", "-")
	g.Expect(err).NotTo(HaveOccurred())
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
