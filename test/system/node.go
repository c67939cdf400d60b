// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

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
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// Node is a node of the cluster, for as long as the programs run: its kubelet serves the logs of the processes as those
// of their pods, and runs their programs where a command is to be executed in a pod. The API server is the real one,
// and asks the kubelet as it would. It runs no pods: those of the programs are bound to it by Register.
type Node struct {
	system *System
	server *httptest.Server
	// HangUp and Silent have the pods whose node answers no command, by name: some hang up, others are silent.
	HangUp, Silent sync.Map
}

// NewNode starts the kubelet.
func NewNode(s *System) *Node {
	n := &Node{system: s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.serveLog)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", n.serveExec)
	n.server = httptest.NewTLSServer(mux)
	return n
}

// Close stops the kubelet.
func (n *Node) Close() {
	n.server.CloseClientConnections()
	n.server.Close()
}

// address is where the API server finds the kubelet.
func (n *Node) address() (host string, port int32, err error) {
	host, text, err := net.SplitHostPort(n.server.Listener.Addr().String())
	if err != nil {
		return "", 0, err
	}
	number, err := strconv.ParseInt(text, 10, 32)
	return host, int32(number), err
}

// ReplicaPod is the name of the pod of a replica of the webhook server.
func ReplicaPod(number int) string { return "completion-webhook-server-" + strconv.Itoa(number) }

// replicaOf returns the replica that a request to the kubelet is about; nil where there is none.
func (n *Node) replicaOf(r *http.Request) *Replica {
	for number := range n.system.Replicas {
		if r.PathValue("namespace") == Namespace && r.PathValue("pod") == ReplicaPod(number) &&
			r.PathValue("container") == WebhookServer {
			return &n.system.Replicas[number]
		}
	}
	return nil
}

// programOf returns the program that a request to the kubelet is about; nil where there is none.
func (n *Node) programOf(r *http.Request) *Program {
	if replica := n.replicaOf(r); replica != nil {
		return replica.Program
	}
	if r.PathValue("namespace") == Namespace && r.PathValue("container") == ControllerManager {
		return n.system.ControllerManager
	}
	return nil
}

// serveExec is the kubelet's exec, by its own code. What runs is the program of the replica, with its own socket in the
// place of the one that it has in a container.
func (n *Node) serveExec(w http.ResponseWriter, r *http.Request) {
	replica := n.replicaOf(r)
	options, err := remotecommand.NewOptions(r)
	if replica == nil || err != nil {
		http.Error(w, "no such container", http.StatusNotFound)
		return
	}
	if _, away := n.HangUp.Load(r.PathValue("pod")); away {
		panic(http.ErrAbortHandler)
	}
	if _, away := n.Silent.Load(r.PathValue("pod")); away {
		<-r.Context().Done()
		return
	}
	remotecommand.ServeExec(w, r, container{replica}, r.PathValue("pod"), "", r.PathValue("container"),
		r.URL.Query()["command"], options, time.Hour, time.Minute, remotecommand.SupportedStreamingProtocols)
}

// container runs commands as if in the container of a replica.
type container struct{ *Replica }

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
func (n *Node) serveLog(w http.ResponseWriter, r *http.Request) {
	program := n.programOf(r)
	if program == nil {
		http.NotFound(w, r)
		return
	}
	log, err := os.Open(program.Log)
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
