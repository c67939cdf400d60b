// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replicas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

const (
	// maxLine bounds a line that a replica says, in bytes. A delivery with all that is kept of it has less than 64 KiB.
	maxLine = 1 << 20
	// maxSaid bounds what is kept of what a replica says on standard error, in bytes.
	maxSaid = 4 << 10
)

// ErrEnough ends a run whose caller has read what it wanted, by its function for the lines. It is no failure.
var ErrEnough = errors.New("enough was read")

var errSilent = errors.New("silent")

// ExitError means that the command in the pod ended with another exit code than 0.
type ExitError struct {
	Code int
	// Said is what it said on standard error.
	Said string
}

// Error returns what the command said.
func (e *ExitError) Error() string {
	said := strings.TrimPrefix(strings.TrimSpace(e.Said), "webhook-server inbox: ")
	if e.Code == exitUsage {
		return "its webhook server does not support this request: is it older than this plugin? " + said
	}
	if said == "" {
		return fmt.Sprintf("its command ended with exit code %d", e.Code)
	}
	return said
}

// exitUsage is how the command of the webhook server says that it does not know a flag.
const exitUsage = 2

// Run runs the command inbox with arguments in the pod of a replica, and calls take with each line that it says. The
// line is valid during the call only.
func (c *Connection) Run(ctx context.Context, r *Replica, args []string, take func(line []byte) error) error {
	var refused error
	executor, err := c.executor(r, args, &refused)
	if err != nil {
		return err
	}
	// What the library has to log, such as that a connection was closed here on purpose, is in what it returns.
	ctx, cancel := context.WithCancelCause(logr.NewContext(ctx, logr.Discard()))
	defer cancel(nil)
	silent := time.AfterFunc(c.silence, func() { cancel(errSilent) })
	defer silent.Stop()
	out := &lines{take: take, silent: silent, silence: c.silence, fail: cancel}
	said := &start{}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: out, Stderr: said})
	out.close()
	code, exited := errors.AsType[exec.CodeExitError](err)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrEnough):
		return nil
	case errors.Is(cause, errSilent):
		return fmt.Errorf("it did not answer for %s: %s", c.silence, c.whereIsIt(r))
	case cause != nil:
		return cause
	case exited:
		return &ExitError{code.Code, said.String()}
	case err != nil && apierrors.IsForbidden(refused):
		// What the API server says of it does not always name the right.
		return Explain(fmt.Errorf("running a command in its pod (pods/exec): %w", refused))
	case err != nil:
		return fmt.Errorf("%w: %s", err, c.whereIsIt(r))
	}
	return nil
}

// whereIsIt says what to do about a replica that does not answer.
func (*Connection) whereIsIt(r *Replica) string {
	return fmt.Sprintf("`kubectl get pod -n %s %s -o wide` says where it runs; once that node answers, run the same again",
		Namespace, r.Pod)
}

// executor returns what runs a command in a pod, as kubectl exec does: through a WebSocket, or through SPDY where
// something on the way lets no WebSocket through. Why the API server refused the WebSocket is left in refused: of SPDY
// there is nothing but a text.
func (c *Connection) executor(r *Replica, args []string, refused *error) (remotecommand.Executor, error) {
	target := c.url(r, args)
	spdy, err := remotecommand.NewSPDYExecutor(c.config, "POST", target)
	if err != nil {
		return nil, err
	}
	webSocket, err := remotecommand.NewWebSocketExecutor(c.config, "GET", target.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(webSocket, spdy, func(err error) bool {
		if upgrade, ok := errors.AsType[*httpstream.UpgradeFailureError](err); ok {
			*refused = upgrade.Cause
		}
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

func (c *Connection) url(r *Replica, args []string) *url.URL {
	command := slices.Concat([]string{r.program, "inbox", args[0]}, r.where, args[1:])
	return c.core.RESTClient().Post().Resource("pods").Namespace(Namespace).Name(r.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: Container, Command: command, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
}

// lines cuts what is written to it into lines.
type lines struct {
	take func(line []byte) error
	// silent ends the run after the silence, which is not the replica's while a line is being taken.
	silent  *time.Timer
	silence time.Duration
	fail    context.CancelCauseFunc

	mu     sync.Mutex
	rest   []byte
	closed bool
}

// Write takes a part of the output. It never fails: what is wrong ends the run.
func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent.Stop()
	defer l.silent.Reset(l.silence)
	l.rest = append(l.rest, text...)
	for !l.closed {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		if err := l.take(line); err != nil {
			l.closed = true
			l.fail(err)
		}
		l.rest = rest
	}
	if len(l.rest) > maxLine && !l.closed {
		l.closed = true
		l.fail(errors.New("its answer is not valid for this plugin: is it of another release?"))
	}
	if l.closed {
		l.rest = nil
	}
	return len(text), nil
}

// close has nothing taken any more: the connection may be given up while there is more to come.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// start keeps the beginning of what is written to it.
type start struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps what there is room for.
func (s *start) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, text[:min(len(text), maxSaid-len(s.text))]...)
	return len(text), nil
}

// String returns what was kept.
func (s *start) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}
