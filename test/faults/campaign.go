// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

const (
	// rate is how many deliveries a second are sent, over so many connections.
	rate        = 80
	connections = 16
	// patience is how long the platform waits for an answer.
	patience = 3 * time.Second
	// stored is how long everything acknowledged may take to be stored once all is well again.
	stored = time.Minute
	// granted is how long everything may take to be granted then: another leader waits for the lease of the last one.
	granted = 3 * time.Minute
)

// campaign is a number of rounds.
type campaign struct {
	seed uint64
	// first is the number of the first round. The campaign ends after so many rounds, or at the first one that begins
	// when the duration is over; 0 is no bound.
	first, rounds int
	duration      time.Duration
	// grantsEvery is after how many rounds the grants are checked, and schoolsEvery after how many there are new
	// institutions, so that what has to be looked at stays small.
	grantsEvery, schoolsEvery int
	// start is the time of the first deliveries.
	start time.Time

	world   *world
	out     io.Writer
	began   time.Time
	ledger  sender.Ledger
	schools []*school
	// all are the institutions of the whole campaign.
	all       []*school
	generator *sender.Generator
	tally     tally
}

// tally is what is reported at the end.
type tally struct {
	rounds  int
	faults  map[string]int
	answers map[string]int
	sent    int
	gaveUp  int
	grants  int
}

// run lets the rounds happen until one finds something. The error says which, and how to see it again.
func (c *campaign) run(ctx context.Context) error {
	c.began = time.Now()
	c.tally.faults, c.tally.answers = make(map[string]int), make(map[string]int)
	last := false
	for round := c.first; !last; round++ {
		if err := c.round(ctx, round); err != nil {
			return fmt.Errorf("round %d, %s: %w", round, c.hint(round), err)
		}
		c.tally.rounds++
		last = (c.rounds > 0 && c.tally.rounds >= c.rounds) || (c.duration > 0 && time.Since(c.began) >= c.duration)
		if c.tally.rounds%c.grantsEvery == 0 || last {
			if err := c.checkGrants(ctx); err != nil {
				return fmt.Errorf("after round %d, %s: %w", round, c.hint(round), err)
			}
		}
	}
	c.say("checking all institutions once more")
	c.schools = c.all
	return errors.Join(c.checkStored(ctx), c.checkGrants(ctx))
}

// round sends deliveries, lets faults happen meanwhile, and checks that nothing is lost once they are undone.
func (c *campaign) round(ctx context.Context, number int) error {
	began := time.Now()
	if number == c.batchOf(number) {
		if err := c.openSchools(ctx, number); err != nil {
			return err
		}
	}
	faults := schedule(c.seed, number, c.world.can)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	watched, unwatch := context.WithCancel(ctx)
	gaveUp := make(chan int, 1)
	go func() { gaveUp <- c.world.supervise(watched, fail) }()

	report, err := c.suffer(ctx, faults)
	if err == nil {
		err = c.world.heal(ctx)
	}
	healed := time.Now()
	if err == nil {
		err = c.checkStored(ctx)
	}
	unwatch()
	c.tally.gaveUp += <-gaveUp
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(cause, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", describe(faults), err)
	}
	for _, f := range faults {
		c.tally.faults[string(f.kind)+" of "+f.target]++
	}
	c.tally.sent += report.Sent
	for answer, n := range report.Answers {
		c.tally.answers[answer] += n
	}
	c.say("round %d ok, %.1f s to heal, %.1f s to store: %d sent, %d acknowledged (%d queued); %s", number,
		healed.Sub(began).Seconds()-sending.Seconds(), time.Since(healed).Seconds(), report.Sent,
		report.Verdicts[sender.VerdictAcknowledged], report.Answers["200 queued"], describe(faults))
	return nil
}

// suffer sends while the faults happen. A wrong answer is an error: faults excuse no answer and 503, nothing else.
func (c *campaign) suffer(ctx context.Context, faults []fault) (*sender.Report, error) {
	sendCtx, cancel := context.WithTimeout(ctx, sending)
	defer cancel()
	disturbed := make(chan error, 1)
	go func() { disturbed <- c.world.disturb(ctx, faults) }()
	deliveries, sent := draw(c.generator), 0
	next := func() sender.Delivery {
		sent++
		return deliveries[sent-1]
	}
	report, err := sender.Run(sendCtx, next, sender.Options{
		Connections: connections, Rate: rate, Count: len(deliveries), Timeout: patience, Ledger: &c.ledger,
	})
	if err = errors.Join(err, <-disturbed); err != nil {
		return nil, err
	}
	if n := report.Verdicts[sender.VerdictUnexpected]; n > 0 {
		return nil, fmt.Errorf("%d wrong answers, such as: %s", n, strings.Join(report.Examples, "; "))
	}
	if n := report.Answers["200 held"]; n > 0 {
		return nil, fmt.Errorf("%d good deliveries went to the dead letters", n)
	}
	return report, nil
}

// openSchools makes the institutions of the batch that begins with a round.
func (c *campaign) openSchools(ctx context.Context, round int) error {
	c.schools = nil
	var institutions []sender.Institution
	for _, id := range idsOf(round) {
		s, err := c.world.openSchool(ctx, id)
		if err != nil {
			return err
		}
		institutions = append(institutions, sender.Institution{ID: s.ID, URLs: s.URLs})
		c.schools, c.all = append(c.schools, s), append(c.all, s)
	}
	generator, err := c.newGenerator(round, institutions)
	c.generator = generator
	return err
}

// checkStored waits until the cluster holds what was acknowledged for the institutions, and checks that the answers to
// all that was sent are those of one server which had taken one delivery of a completion after the other.
func (c *campaign) checkStored(ctx context.Context) error {
	for _, s := range c.schools {
		if err := c.ledger.Await(ctx, c.world.admin, s.ID, s.Namespace, false, stored); err != nil {
			return err
		}
		asked := time.Now()
		completions, err := sender.Stored(ctx, c.world.admin, s.ID, s.Namespace)
		if err != nil {
			return err
		}
		read := time.Now()
		for i := range completions {
			if err := checkHistory(c.ledger.History(&completions[i]), order.Of(&completions[i].Spec), asked, read); err != nil {
				return fmt.Errorf("institution %d, completion %s: %w", s.ID, completions[i].Name, err)
			}
		}
	}
	return nil
}

// checkGrants waits until what the policies grant is granted.
func (c *campaign) checkGrants(ctx context.Context) error {
	began, total := time.Now(), 0
	supervised, end := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.tally.gaveUp += c.world.supervise(supervised, end)
	}()
	var failure error
	for _, s := range c.schools {
		n, err := s.checkGrants(supervised, granted)
		if err != nil {
			failure = err
			break
		}
		total += n
	}
	cause := context.Cause(supervised)
	end(nil)
	<-watched
	if failure != nil {
		return errors.Join(cause, failure)
	}
	c.tally.grants = max(c.tally.grants, total)
	c.say("%d grants are as they should be, %.1f s", total, time.Since(began).Seconds())
	return nil
}

func (c *campaign) say(format string, args ...any) {
	fmt.Fprintf(c.out, "%7.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// report prints what came of it.
func (c *campaign) report() {
	t := c.tally
	fmt.Fprintf(c.out, "\nseed %d: %d rounds in %s, %d deliveries, %d grants at once at most\n",
		c.seed, t.rounds, time.Since(c.began).Round(time.Second), t.sent, t.grants)
	printCounts(c.out, "answers", t.answers)
	printCounts(c.out, "faults", t.faults)
	fmt.Fprintf(c.out, "the controller-manager gave up %d times, for want of the API or its lease\n", t.gaveUp)
}

func printCounts(out io.Writer, title string, counts map[string]int) {
	fmt.Fprintln(out, title)
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "  %7d  %s\n", counts[key], key)
	}
}
