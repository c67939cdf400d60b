// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

// kubelet serves for as long as the tests run.
var kubelet sync.Once

// startKubelet gives the control plane a node whose kubelet serves the logs of the running webhook server as those of
// its first pod, and nothing as those of the second. The API server is the real one, and asks the kubelet as it would.
func startKubelet(t *testing.T) {
	t.Helper()
	kubelet.Do(func() { registerNode(t, httptest.NewTLSServer(http.HandlerFunc(serveLog))) })
}

func registerNode(t *testing.T, server *httptest.Server) {
	t.Helper()
	g := NewWithT(t)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	number, err := strconv.ParseInt(port, 10, 32)
	g.Expect(err).NotTo(HaveOccurred())
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "webhook-node"}}
	g.Expect(admin.Create(t.Context(), node)).To(Succeed())
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
	g.Expect(admin.Status().Update(t.Context(), node)).To(Succeed())
	for _, name := range []string{"completion-webhook-server-0", "completion-webhook-server-1"} {
		pod := &corev1.Pod{}
		g.Eventually(func() error {
			return admin.Get(t.Context(), client.ObjectKey{Namespace: system.Namespace, Name: name}, pod)
		}, soon, often).Should(Succeed())
		g.Expect(admin.SubResource("binding").Create(t.Context(), pod, &corev1.Binding{
			Target: corev1.ObjectReference{Kind: "Node", Name: node.Name}})).To(Succeed())
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: system.WebhookServer, Image: "none", ImageID: "none"}}
		g.Expect(admin.Status().Update(t.Context(), pod)).To(Succeed())
	}
}

// serveLog is the kubelet's GET /containerLogs/{namespace}/{pod}/{container}.
func serveLog(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" || parts[3] != system.WebhookServer {
		http.NotFound(w, r)
		return
	}
	if !strings.HasSuffix(parts[2], "-0") {
		return
	}
	log, err := os.Open(operator.WebhookServer.Log)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer log.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.Copy(w, log); err != nil || r.URL.Query().Get("follow") != "true" {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
