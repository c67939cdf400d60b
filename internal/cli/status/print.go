// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// phases in the order in which a Grant goes through them.
var phases = []v1alpha1.GrantPhase{
	v1alpha1.GrantPending, v1alpha1.GrantAwaitingApproval, v1alpha1.GrantWaiting, v1alpha1.GrantActive,
	v1alpha1.GrantSuspended, v1alpha1.GrantEnded, v1alpha1.GrantRevoked,
}

func (o *overview) write(out io.Writer, all bool) error {
	for i := range o.Institutions {
		if err := o.Institutions[i].write(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if text := o.Inboxes.String(); text != "" {
		fmt.Fprint(out, text, "\n\n")
	}
	if len(o.Problems) == 0 && len(o.Institutions) == 0 {
		return nil
	}
	if len(o.Problems) == 0 {
		fmt.Fprintln(out, "Nothing needs attention.")
		return nil
	}
	fmt.Fprintln(out, "Needs attention:")
	for i := range o.Problems {
		o.Problems[i].write(out, all)
	}
	return nil
}

func (i *institution) write(out io.Writer) error {
	state := "Ready"
	if !i.Ready {
		state = "Not ready: " + i.Reason
	}
	if i.Suspended {
		state += ", suspended"
	}
	fmt.Fprintf(out, "Institution %d (%s in %s): %s\n", i.ID, i.Name, i.Namespace, state)
	rows := [][]string{
		{"  Completions:", fmt.Sprintf("%d today, %d in 7 days, %d in all", i.Completions.Today, i.Completions.Week,
			i.Completions.All)},
		{"  Grants:", i.grants()},
	}
	for n, pool := range i.Pools {
		label := ""
		if n == 0 {
			label = "  Seats:"
		}
		rows = append(rows, []string{label, fmt.Sprintf("%s: %d of %d taken, %d waiting", pool.Name, pool.Taken,
			pool.Capacity, pool.Waiting)})
	}
	rows = append(rows,
		[]string{"  Ends of access:", fmt.Sprintf("%d within %d days", i.EndingSoon, soonDays)},
		[]string{"  Namespaces:", fmt.Sprintf("%d of at most %d", i.Namespaces, i.NamespacesAtMost)},
		[]string{"  Brake:", i.Brake.String()})
	if i.Inbox != nil {
		rows = append(rows, []string{"  Inboxes:", kept(i.Inbox)})
	}
	return cmdutil.Rows(out, nil, rows)
}

func (i *institution) grants() string {
	var parts []string
	for _, phase := range phases {
		if n := i.Grants[phase]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, phase))
		}
	}
	if n := i.Grants[""]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d not processed yet", n))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// String says how the brake stands.
func (b brake) String() string {
	if b.PausedSince == nil {
		return fmt.Sprintf("open, allows %d revocations per hour", b.Budget)
	}
	return fmt.Sprintf("tripped at %s, pauses %d", b.PausedSince.Format(time.RFC3339), b.Held)
}

func (p *problem) write(out io.Writer, all bool) {
	object := p.Object
	if all {
		object = p.Namespace + " " + object
	}
	if p.Count > 1 {
		object += fmt.Sprintf(" and %d more", p.Count-1)
	}
	fmt.Fprintf(out, "  %s: %s: %s\n      %s\n      $ %s\n", severityNames[p.Severity], object, p.Reason,
		strings.ReplaceAll(p.Message, "\n", " "), p.Command)
}
