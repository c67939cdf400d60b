// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// streamCourse is one that no sample policy grants anything for.
const streamCourse v1alpha1.PlatformID = 314159

const (
	streamLength = 500
	// streamSeed makes the same deliveries every time.
	streamSeed = 1
)

// checkStream sends what a platform sends in the course of a day, and checks that every delivery got its due.
func (s *session) checkStream(ctx context.Context) error {
	institutions, err := sender.ParseInstitutions([]string{s.url})
	if err != nil {
		return err
	}
	generator, err := sender.NewGenerator(sender.Plan{
		Institutions: institutions, Courses: []v1alpha1.PlatformID{streamCourse}, Seed: streamSeed,
		Mix: sender.DefaultMix(), Start: time.Now().UTC().AddDate(0, 0, -1),
	})
	if err != nil {
		return err
	}
	ledger := &sender.Ledger{}
	report, err := sender.Run(ctx, generator.Next, sender.Options{
		Connections: 8, Count: streamLength, Timeout: settles, Ledger: ledger,
	})
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		report.Print(os.Stdout)
		return err
	}
	institution := institutions[0].ID
	// The example is there too.
	if err := ledger.Await(ctx, s.client, institution, sampleName, true, settles); err != nil {
		return err
	}
	deliveries, completions := ledger.Acknowledged(institution)
	fmt.Printf("    %d deliveries: %d accepted for %d completions, each stored once in its newest version; "+
		"%d invalid ones refused\n",
		report.Sent, deliveries, completions, report.Verdicts[sender.VerdictRejected])
	return nil
}
