// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/delivery"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// What the server makes of other events, and of deliveries about people whose data was erased.
const (
	outcomeIgnored = "ignored"
	outcomeErased  = "erased"
)

// work goes through a file once.
type work struct {
	*options
	connections int
	// institution is whose rows these are, and complete tells that all of them have an answer.
	institution v1alpha1.PlatformID
	complete    bool
	// total is how many rows there are, where that is known.
	total int
	// judge says what comes of a row that is a delivery.
	judge func(*row) (verdict, error)
	// rejects gets the refused rows, where it is set.
	rejects *rejects
	mu      sync.Mutex
	// done counts the rows with a verdict, refused those that were not taken, outcomes the others.
	done, refused int
	outcomes      map[string]int
	// underway are the lines of the rows that have no verdict yet.
	underway map[int]bool
	// last is the line of the row that was read last.
	last int
}

// checking is work that asks the code of the server, and not a server.
func (o *options) checking(id v1alpha1.PlatformID) *work {
	// The zone matters for what is about two days ahead alone.
	institution := &v1alpha1.Institution{Spec: v1alpha1.InstitutionSpec{ID: id, TimeZone: "UTC"}}
	now := o.Now()
	return &work{
		options: o, connections: 1, outcomes: make(map[string]int),
		judge: func(r *row) (verdict, error) {
			doc, fault := delivery.Decode(r.body)
			if fault != nil {
				return verdict{refused: textOf([]delivery.Fault{*fault})}, nil
			}
			if doc.OtherEvent() != "" {
				return verdict{outcome: outcomeIgnored}, nil
			}
			_, faults, err := delivery.Read(doc, institution, now)
			return verdict{outcome: "valid", refused: textOf(faults)}, err
		},
	}
}

func textOf(faults []delivery.Fault) string {
	var texts []string
	for _, fault := range faults {
		texts = append(texts, strings.TrimSpace(sender.FieldOf(fault.Pointer)+" "+fault.Detail))
	}
	return strings.Join(texts, "; ")
}

// run goes through the file, until the end or until going on is of no use.
func (w *work) run(ctx context.Context, institution v1alpha1.PlatformID) error {
	fields, err := newMapping(w.maps, w.sets, institution)
	if err != nil {
		return cmdutil.Usagef("%w", err)
	}
	comma, err := w.comma()
	if err != nil {
		return err
	}
	in, err := w.input()
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := open(in, fields, comma)
	if err != nil {
		return fmt.Errorf("%s: %w", w.file, err)
	}
	if len(fields.ignored) > 0 && w.rejects != nil {
		fmt.Fprintf(w.ErrOut, "These columns are not fields of the contract and are ignored: %s\n",
			strings.Join(fields.ignored, ", "))
	}
	if w.rejects != nil {
		w.rejects.header = file.header()
	}
	w.institution = institution
	defer w.show()()
	return w.all(ctx, file)
}

// show shows the progress, on a terminal, until it is called back.
func (w *work) show() (stop func()) {
	if !cmdutil.IsTerminal(w.Factory) {
		return func() {}
	}
	p := &progress{out: w.ErrOut, clock: clock.RealClock{}, total: w.total, began: w.Now(), done: func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.done
	}}
	stopping := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() { p.show(stopping) })
	return func() {
		close(stopping)
		showing.Wait()
	}
}

// all has the rows judged, several at a time.
func (w *work) all(ctx context.Context, file rows) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.underway = make(map[int]bool)
	queue := make(chan *row)
	var working sync.WaitGroup
	for range w.connections {
		working.Go(func() {
			for r := range queue {
				if err := w.one(r); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := w.read(ctx, file, queue)
	close(queue)
	working.Wait()
	if w.rejects != nil {
		err = errors.Join(err, w.rejects.close())
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read hands out the rows.
func (w *work) read(ctx context.Context, file rows, queue chan<- *row) error {
	for ctx.Err() == nil {
		r, err := file.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.file, err)
		}
		if r.line < w.fromLine {
			continue
		}
		w.mu.Lock()
		w.underway[r.line], w.last = true, r.line
		w.mu.Unlock()
		select {
		case queue <- r:
		case <-ctx.Done():
		}
	}
	return nil
}

// one has a row judged. A row without a verdict stays underway.
func (w *work) one(r *row) error {
	v := verdict{refused: r.fault}
	if r.fault == "" {
		var err error
		if v, err = w.judge(r); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.refused != "" && w.rejects != nil {
		if err := w.rejects.add(r, v.refused); err != nil {
			return err
		}
	}
	delete(w.underway, r.line)
	w.done++
	if v.refused != "" {
		w.refused++
	} else {
		w.outcomes[v.outcome]++
	}
	return nil
}

// missing returns the first line that has no verdict.
func (w *work) missing() int {
	if len(w.underway) == 0 {
		return w.last + 1
	}
	return slices.Min(slices.Collect(maps.Keys(w.underway)))
}

func sortedKeys(counts map[string]int) []string { return slices.Sorted(maps.Keys(counts)) }
