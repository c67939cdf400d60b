// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// maxLine bounds a line of a log, in bytes; audit records have about a thousand.
const maxLine = 1 << 20

// elsewhere returns the file that a pod writes its audit log to instead of its output; empty where it does not.
func elsewhere(pod *corev1.Pod) string { return replicas.Argument(pod, "audit-log") }

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
			if state.Name == replicas.Container && state.RestartCount > 0 && !follow {
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
	ctx context.Context, c typedcorev1.PodsGetter, from []source, since time.Time, follow bool, take func(*record) error,
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
	ctx context.Context, c typedcorev1.PodsGetter, since time.Time, follow bool, records chan<- *record,
) error {
	options := &corev1.PodLogOptions{Container: replicas.Container, Follow: follow, Previous: s.previous}
	if !since.IsZero() {
		options.SinceTime = new(metav1.NewTime(since))
	}
	stream, err := c.Pods(replicas.Namespace).GetLogs(s.pod, options).Stream(ctx)
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
			r.pod = s.pod
			select {
			case records <- r:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return lines.Err()
}
