// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	systemNamespace = "completion-system"
	container       = "webhook-server"
	selector        = "app.kubernetes.io/name=course-completion-operator,app.kubernetes.io/component=webhook-server"
	// maxLine bounds a line of a log, in bytes; audit records have less than a thousand.
	maxLine = 1 << 20
)

// replicas are the pods of the webhook server.
func replicas(ctx context.Context, c kubernetes.Interface) ([]corev1.Pod, error) {
	pods, err := c.CoreV1().Pods(systemNamespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	if len(pods.Items) == 0 {
		return nil, fmt.Errorf("namespace %s has no pod of the webhook server: `kubectl course doctor` says more",
			systemNamespace)
	}
	return pods.Items, nil
}

// elsewhere returns the file that a pod writes its audit log to instead of its output; empty where it does not.
func elsewhere(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		args := slices.Concat(pod.Spec.Containers[i].Command, pod.Spec.Containers[i].Args)
		for n, arg := range args {
			name, value, joined := strings.Cut(arg, "=")
			if strings.TrimLeft(name, "-") != "audit-log" {
				continue
			}
			if !joined && n+1 < len(args) {
				value = args[n+1]
			}
			return value
		}
	}
	return ""
}

// source is the log of one container, the present one or the one before its last restart.
type source struct {
	pod      string
	previous bool
}

// sources returns the logs to read.
func sources(pods []corev1.Pod, follow bool) []source {
	var all []source
	for i := range pods {
		for _, state := range pods[i].Status.ContainerStatuses {
			if state.Name == container && state.RestartCount > 0 && !follow {
				all = append(all, source{pods[i].Name, true})
			}
		}
		all = append(all, source{pods[i].Name, false})
	}
	return all
}

// read reads all logs at once and hands each record that is wanted to take, one at a time. It returns what could not
// be read, joined with the errors of take.
func read(
	ctx context.Context, c kubernetes.Interface, from []source, since time.Time, follow bool, take func(*record) error,
) error {
	records := make(chan *record)
	failures := make([]error, len(from))
	reading, readingCtx := errgroup.WithContext(ctx)
	for i, one := range from {
		reading.Go(func() error {
			failures[i] = one.read(readingCtx, c, since, follow, records)
			return nil
		})
	}
	go func() {
		_ = reading.Wait()
		close(records)
	}()
	var taking error
	for r := range records {
		if taking == nil {
			taking = take(r)
		}
	}
	return errors.Join(append(failures, taking)...)
}

func (s source) read(
	ctx context.Context, c kubernetes.Interface, since time.Time, follow bool, records chan<- *record,
) error {
	options := &corev1.PodLogOptions{Container: container, Follow: follow, Previous: s.previous}
	if !since.IsZero() {
		options.SinceTime = new(metav1.NewTime(since))
	}
	stream, err := c.CoreV1().Pods(systemNamespace).GetLogs(s.pod, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("read the log of pod %s: %w", s.pod, err)
	}
	defer stream.Close()
	if err := s.scan(ctx, stream, records); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read the log of pod %s: %w", s.pod, err)
	}
	return nil
}

func (s source) scan(ctx context.Context, log io.Reader, records chan<- *record) error {
	lines := bufio.NewScanner(log)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		if r, ok := parse(lines.Bytes()); ok {
			select {
			case records <- r:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return lines.Err()
}
