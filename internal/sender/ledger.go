// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// Entry is what a Ledger keeps of a good delivery. It holds neither personal data nor a token.
type Entry struct {
	Index   int     `json:"index"`
	Kind    Kind    `json:"kind"`
	Content Content `json:"-"`
	SendAt  string  `json:"sendAt"`
	// Status is 0 when no answer came.
	Status int `json:"status"`
	// Outcome and DeliveryID are from the answer, empty where there was none.
	Outcome    string  `json:"outcome,omitempty"`
	DeliveryID string  `json:"deliveryID,omitempty"`
	Verdict    Verdict `json:"verdict"`

	// sent and answered are when; answered is zero where no answer came.
	sent, answered time.Time
}

// completionKey names a completion among those of all institutions.
type completionKey struct {
	institution v1alpha1.PlatformID
	name        string
}

// Ledger keeps what was offered and what was acknowledged, so that Check can say whether the promise was kept. The zero
// value is empty and ready to use. Safe for use by several goroutines.
type Ledger struct {
	mu      sync.Mutex
	entries map[completionKey][]Entry
}

// offer notes a good delivery before it is sent: from then on it may have been stored.
func (l *Ledger) offer(d *Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = make(map[completionKey][]Entry)
	}
	key := completionKey{d.Institution, d.Completion}
	l.entries[key] = append(l.entries[key], Entry{
		Index: d.Index, Kind: d.Kind, Content: d.Content, SendAt: d.Content.SendAt, Verdict: VerdictFailed,
		sent: time.Now(),
	})
}

// settle notes what came of it.
func (l *Ledger) settle(d *Delivery, a Answer, verdict Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := l.entries[completionKey{d.Institution, d.Completion}]
	at := slices.IndexFunc(entries, func(e Entry) bool { return e.Index == d.Index })
	entries[at].Status, entries[at].Outcome, entries[at].DeliveryID = a.Status, a.Outcome, a.DeliveryID
	entries[at].Verdict = verdict
	if a.Status != 0 {
		entries[at].answered = time.Now()
	}
}

// Acknowledged returns how many deliveries and how many completions of an institution were acknowledged.
func (l *Ledger) Acknowledged(institution v1alpha1.PlatformID) (deliveries, completions int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, entries := range l.entries {
		n := 0
		for _, e := range entries {
			if key.institution == institution && e.Verdict == VerdictAcknowledged {
				n++
			}
		}
		deliveries += n
		completions += min(n, 1)
	}
	return deliveries, completions
}

// Write writes every good delivery as a line of JSON, in the order in which they were sent.
func (l *Ledger) Write(w io.Writer) error {
	type line struct {
		Institution v1alpha1.PlatformID `json:"institution"`
		Completion  string              `json:"completion"`
		Entry
	}
	var lines []line
	l.mu.Lock()
	for key, entries := range l.entries {
		for _, e := range entries {
			lines = append(lines, line{key.institution, key.name, e})
		}
	}
	l.mu.Unlock()
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.Index, b.Index) })
	encoder := json.NewEncoder(w)
	for _, each := range lines {
		if err := encoder.Encode(each); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops what is known of an institution.
func (l *Ledger) Forget(institution v1alpha1.PlatformID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.entries, func(key completionKey, _ []Entry) bool { return key.institution == institution })
}

// Problem is a promise that was not kept.
type Problem struct {
	// Completion is the name of the completion.
	Completion string
	// Text says what is wrong, without personal data.
	Text string
	// Entries are all deliveries of the completion, in the order in which they were sent.
	Entries []Entry
}

// String shows the problem to people.
func (p Problem) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "completion %s: %s", p.Completion, p.Text)
	for _, e := range p.Entries {
		fmt.Fprintf(&text, "\n  delivery %d (%s) sendAt %q, %q: %s, status %d %s %s",
			e.Index, e.Kind, e.SendAt, e.Content.CourseName, e.Verdict, e.Status, e.Outcome, e.DeliveryID)
	}
	return text.String()
}

// Check compares everything that is stored of an institution with what was sent for it, and returns what is wrong, by
// name: every completion that was acknowledged exists exactly once, with a content that was sent and that no
// acknowledged delivery is greater than, in the order of deliveries. What was not acknowledged may be stored or not.
// Completions that no delivery of this Ledger was about are wrong too, unless others is true.
func (l *Ledger) Check(institution v1alpha1.PlatformID, stored []v1alpha1.CourseCompletion, others bool) []Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	byName := make(map[string][]*v1alpha1.CourseCompletion, len(stored))
	for i := range stored {
		name := stored[i].Spec.Name()
		byName[name] = append(byName[name], &stored[i])
	}
	var problems []Problem
	for key, entries := range l.entries {
		if key.institution != institution {
			continue
		}
		if text := check(entries, byName[key.name]); text != "" {
			problems = append(problems, Problem{Completion: key.name, Text: text, Entries: slices.Clone(entries)})
		}
		delete(byName, key.name)
	}
	for name := range byName {
		if !others {
			problems = append(problems, Problem{Completion: name, Text: "is stored, but no valid delivery was sent for it"})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Completion, b.Completion) })
	return problems
}

// check returns what is wrong with one completion, empty for nothing.
func check(entries []Entry, stored []*v1alpha1.CourseCompletion) string {
	acknowledged := slices.ContainsFunc(entries, func(e Entry) bool { return e.Verdict == VerdictAcknowledged })
	switch {
	case len(stored) == 0 && acknowledged:
		return "was acknowledged, but is not stored"
	case len(stored) == 0:
		return ""
	case len(stored) > 1:
		return fmt.Sprintf("is stored %d times", len(stored))
	}
	spec := &stored[0].Spec
	if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Content == contentOf(spec) }) {
		return fmt.Sprintf("is stored with content that was never sent: sendAt %q", spec.Event.SendAt)
	}
	for _, e := range entries {
		if e.Verdict == VerdictAcknowledged && order.Compare(order.Of(e.Content.in(spec)), order.Of(spec)) > 0 {
			return fmt.Sprintf("is stored with sendAt %q (%q), but delivery %d was acknowledged and is later",
				spec.Event.SendAt, spec.Course.Name, e.Index)
		}
	}
	return ""
}

// contentOf returns what a stored completion says.
func contentOf(spec *v1alpha1.CourseCompletionSpec) Content {
	return Content{SendAt: spec.Event.SendAt, CourseName: spec.Course.Name, DateExpire: spec.Enrollment.DateExpire}
}

// in returns a stored completion as it would be with this content. The rest of a completion is the same in each of its
// deliveries, so that it does not matter here what the institution's privacy made of it.
func (c Content) in(spec *v1alpha1.CourseCompletionSpec) *v1alpha1.CourseCompletionSpec {
	with := *spec
	with.Event.SendAt, with.Course.Name, with.Enrollment.DateExpire = c.SendAt, c.CourseName, c.DateExpire
	return &with
}
