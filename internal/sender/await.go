// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	// pageSize is how many completions are read at once.
	pageSize = 1000
	// maxProblems is how many problems an error quotes.
	maxProblems = 5
)

// Stored returns every completion of an institution in a namespace, or in all where the namespace is empty.
func Stored(
	ctx context.Context, reader client.Reader, institution v1alpha1.PlatformID, namespace string,
) ([]v1alpha1.CourseCompletion, error) {
	var stored []v1alpha1.CourseCompletion
	next := ""
	for {
		var page v1alpha1.CourseCompletionList
		err := reader.List(ctx, &page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next),
			client.MatchingFields{"spec.institution.id": institution.String()})
		if err != nil {
			return nil, fmt.Errorf("listing the completions of institution %d: %w", institution, err)
		}
		stored = append(stored, page.Items...)
		if next = page.Continue; next == "" {
			return stored, nil
		}
	}
}

// Await checks an institution against the ledger until nothing is wrong, since what is queued is stored later. After
// the timeout it returns an error with the first problems. Others is as for Check, the namespace as for Stored.
func (l *Ledger) Await(
	ctx context.Context, reader client.Reader, institution v1alpha1.PlatformID, namespace string, others bool,
	timeout time.Duration,
) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last error
	for {
		stored, err := Stored(ctx, reader, institution, namespace)
		if err == nil {
			err = problemsError(institution, l.Check(institution, stored, others))
		}
		if err == nil {
			return nil
		}
		// What was seen before the deadline says more than the deadline.
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", timeout, last)
		}
	}
}

func problemsError(institution v1alpha1.PlatformID, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var texts []string
	for _, problem := range problems[:min(len(problems), maxProblems)] {
		texts = append(texts, problem.String())
	}
	return fmt.Errorf("institution %d: %d completions are wrong, including:\n%s",
		institution, len(problems), strings.Join(texts, "\n"))
}
