// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// inEtcd compacts and defragments the data of etcd, and looks for texts in its file: old revisions are in there too,
// until they are compacted.
func inEtcd(t *testing.T, texts []string, want bool) {
	t.Helper()
	g := NewWithT(t)
	etcd := newEtcd(t)
	var state struct{ Header struct{ Revision string } }
	etcd.call("/v3/kv/range", map[string]any{"key": base64.StdEncoding.EncodeToString([]byte("x"))}, &state)
	etcd.call("/v3/kv/compaction", map[string]any{"revision": state.Header.Revision, "physical": true}, nil)
	etcd.call("/v3/maintenance/defragment", map[string]any{}, nil)
	content, err := os.ReadFile(filepath.Join(plane.StateDir(), "etcd", "member", "snap", "db"))
	g.Expect(err).NotTo(HaveOccurred())
	for _, text := range texts {
		g.Expect(bytes.Contains(content, []byte(text))).To(Equal(want), "a personal value in the file of etcd")
	}
}

// inFiles fails where the inboxes or the logs of the programs have one of the texts. An inbox is written anew once it
// is quiet.
func inFiles(t *testing.T, texts []string) {
	t.Helper()
	g := NewWithT(t)
	var files []string
	for _, replica := range operator.Replicas {
		files = append(files, replica.Inbox)
	}
	for _, program := range operator.Programs() {
		files = append(files, program.Log)
	}
	for _, file := range files {
		g.Eventually(func(g Gomega) {
			content, err := os.ReadFile(file)
			g.Expect(err).NotTo(HaveOccurred())
			for _, text := range texts {
				g.Expect(bytes.Contains(content, []byte(text))).To(BeFalse(), "a personal value in %s", filepath.Base(file))
			}
		}, soon, "1s").Should(Succeed())
	}
}

// etcd is the store of the control plane under test, by its JSON gateway.
type etcd struct {
	t      *testing.T
	server string
	client *http.Client
}

func newEtcd(t *testing.T) *etcd {
	t.Helper()
	g := NewWithT(t)
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", plane.PID(cluster.APIServer)))
	g.Expect(err).NotTo(HaveOccurred())
	_, rest, found := strings.Cut(string(arguments), "--etcd-servers=")
	g.Expect(found).To(BeTrue())
	server, _, _ := strings.Cut(rest, "\x00")
	pki := func(name string) string { return filepath.Join(plane.StateDir(), "pki", name) }
	authority, err := os.ReadFile(pki("etcd-ca.crt"))
	g.Expect(err).NotTo(HaveOccurred())
	certificate, err := tls.LoadX509KeyPair(pki("etcd-client.crt"), pki("etcd-client.key"))
	g.Expect(err).NotTo(HaveOccurred())
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &etcd{t, server, &http.Client{Transport: transport}}
}

func (e *etcd) call(path string, request any, answer any) {
	e.t.Helper()
	g := NewWithT(e.t)
	body, err := json.Marshal(request)
	g.Expect(err).NotTo(HaveOccurred())
	post, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, e.server+path, bytes.NewReader(body))
	g.Expect(err).NotTo(HaveOccurred())
	response, err := e.client.Do(post)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	if strings.Contains(string(said), "has been compacted") {
		// Nothing was written since the last time.
		return
	}
	g.Expect(response.StatusCode).To(Equal(http.StatusOK), string(said))
	if answer != nil {
		g.Expect(json.Unmarshal(said, answer)).To(Succeed())
	}
}
