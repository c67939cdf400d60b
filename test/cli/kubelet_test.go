// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

// kubelet serves for as long as the tests run.
var kubelet sync.Once

// startKubelet gives the control plane a node whose kubelet serves the logs of the running webhook servers as those of
// their pods, and runs their own programs where a command is to be executed in a pod. The API server is the real one,
// and asks the kubelet as it would.
func startKubelet(t *testing.T) {
	t.Helper()
	kubelet.Do(func() {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", serveLog)
		mux.HandleFunc("/exec/{namespace}/{pod}/{container}", serveExec)
		registerNode(t, httptest.NewTLSServer(mux))
	})
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
	for number := range operator.Replicas {
		name := replicaName(number)
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

// replicaName is the name of the pod of a replica.
func replicaName(number int) string { return "completion-webhook-server-" + strconv.Itoa(number) }

// replicaOf returns the replica that a request to the kubelet is about; nil where there is none.
func replicaOf(r *http.Request) *system.Replica {
	for number := range operator.Replicas {
		if r.PathValue("namespace") == system.Namespace && r.PathValue("pod") == replicaName(number) &&
			r.PathValue("container") == system.WebhookServer {
			return &operator.Replicas[number]
		}
	}
	return nil
}

// outOfReach has the pods whose node answers no command, by name: some hang up, others are silent.
var outOfReach struct{ hangUp, silent sync.Map }

// serveExec is the kubelet's exec, by its own code. What runs is the program of the replica, with its own socket in the
// place of the one that it has in a container.
func serveExec(w http.ResponseWriter, r *http.Request) {
	replica := replicaOf(r)
	options, err := remotecommand.NewOptions(r)
	if replica == nil || err != nil {
		http.Error(w, "no such container", http.StatusNotFound)
		return
	}
	if _, away := outOfReach.hangUp.Load(r.PathValue("pod")); away {
		panic(http.ErrAbortHandler)
	}
	if _, away := outOfReach.silent.Load(r.PathValue("pod")); away {
		<-r.Context().Done()
		return
	}
	remotecommand.ServeExec(w, r, container{replica}, r.PathValue("pod"), "", r.PathValue("container"),
		r.URL.Query()["command"], options, time.Hour, time.Minute, remotecommand.SupportedStreamingProtocols)
}

// container runs commands as if in the container of a replica.
type container struct{ *system.Replica }

// ExecInContainer runs the program of the replica.
func (c container) ExecInContainer(
	ctx context.Context, _, _, _ string, command []string, _ io.Reader, out, errOut io.WriteCloser, _ bool,
	_ <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	const inContainer = "--inbox-socket=/var/lib/completion-webhook-server/inbox.sock"
	if len(command) < 2 || command[0] != "/webhook-server" || command[1] != "inbox" ||
		!slices.Contains(command, inContainer) {
		return fmt.Errorf("no such command in the container: %q", command)
	}
	for i, arg := range command {
		command[i] = strings.ReplaceAll(arg, inContainer, "--inbox-socket="+c.Socket)
	}
	run := c.Command(ctx, command[1:]...)
	run.Stdout, run.Stderr = out, errOut
	err := run.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// serveLog is the kubelet's GET of a log.
func serveLog(w http.ResponseWriter, r *http.Request) {
	replica := replicaOf(r)
	if replica == nil {
		http.NotFound(w, r)
		return
	}
	log, err := os.Open(replica.Log)
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
