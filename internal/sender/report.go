// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxExamples is how many unexpected answers a report shows.
const maxExamples = 10

// Report is what came of a run.
type Report struct {
	// Sent counts all deliveries, Kinds by what they were, Verdicts by what came of them.
	Sent     int
	Kinds    map[Kind]int
	Verdicts map[Verdict]int
	// Answers counts by status code and outcome, such as "200 created", and by what kept an answer from coming.
	Answers map[string]int
	// Examples are the first unexpected answers, without personal data.
	Examples []string
	// Latency is the time from the sending to the end of each answer.
	Latency Histogram
	Elapsed time.Duration
}

func newReport() *Report {
	return &Report{Kinds: make(map[Kind]int), Verdicts: make(map[Verdict]int), Answers: make(map[string]int)}
}

func (r *Report) note(d *Delivery, a Answer, err error, verdict Verdict, took time.Duration) {
	r.Sent++
	r.Kinds[d.Kind]++
	r.Verdicts[verdict]++
	text := strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Outcome))
	if err != nil {
		text = failure(err)
	} else {
		r.Latency.Add(took)
	}
	r.Answers[text]++
	if verdict == VerdictUnexpected {
		r.example(fmt.Sprintf("delivery %d (%s, %s) was answered with %s, delivery id %q",
			d.Index, d.Kind, d.Completion, text, a.DeliveryID))
	}
}

func (r *Report) example(text string) {
	if len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, text)
	}
}

// add puts another report into this one.
func (r *Report) add(other *Report) {
	r.Sent += other.Sent
	for kind, n := range other.Kinds {
		r.Kinds[kind] += n
	}
	for verdict, n := range other.Verdicts {
		r.Verdicts[verdict] += n
	}
	for text, n := range other.Answers {
		r.Answers[text] += n
	}
	for _, text := range other.Examples {
		r.example(text)
	}
	r.Latency.Merge(&other.Latency)
}

// PerSecond returns how many deliveries were acknowledged a second.
func (r *Report) PerSecond() float64 {
	return float64(r.Verdicts[VerdictAcknowledged]) / max(r.Elapsed.Seconds(), 1e-9)
}

// Err returns nil when every good delivery was acknowledged and every wrong one refused in the right way.
func (r *Report) Err() error {
	var parts []string
	for _, verdict := range []Verdict{VerdictPutOff, VerdictFailed, VerdictUnexpected} {
		if n := r.Verdicts[verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("of %d deliveries, %s", r.Sent, strings.Join(parts, ", "))
}

// Print shows the report to people.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "sent          %d deliveries in %s\n", r.Sent, r.Elapsed.Round(time.Millisecond))
	fmt.Fprintf(w, "acknowledged  %d, %.1f a second\n", r.Verdicts[VerdictAcknowledged], r.PerSecond())
	fmt.Fprintf(w, "latency       p50 %s, p99 %s, longest %s\n", r.Latency.Quantile(0.5).Round(10*time.Microsecond),
		r.Latency.Quantile(0.99).Round(10*time.Microsecond), r.Latency.Max().Round(10*time.Microsecond))
	printCounts(w, "kinds", r.Kinds)
	printCounts(w, "verdicts", r.Verdicts)
	printCounts(w, "answers", r.Answers)
	for _, text := range r.Examples {
		fmt.Fprintf(w, "unexpected: %s\n", text)
	}
}

func printCounts[K ~string](w io.Writer, title string, counts map[K]int) {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	fmt.Fprintln(w, title)
	for _, key := range keys {
		fmt.Fprintf(w, "  %8d  %s\n", counts[key], key)
	}
}

// failure says in a few words why no answer came, so that failures can be counted.
func failure(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "timed out"
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	default:
		return "not sent: " + err.Error()
	}
}
