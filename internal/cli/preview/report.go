// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"io"
	"slices"
	"strings"

	kyaml "sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
)

// fault is something that is wrong in a policy, and where in the file.
type fault struct {
	Policy string `json:"policy"`
	Field  string `json:"field,omitempty"`
	place
	Message string `json:"message"`
}

// String writes it as compilers do.
func (f fault) String() string {
	var parts []string
	for _, part := range []string{f.place.String(), "policy " + f.Policy, f.Field, f.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// change is what happens to a Grant of the one person that is looked at.
type change struct {
	Grant string       `json:"grant"`
	Kind  preview.Kind `json:"kind"`
	What  []string     `json:"what,omitempty"`
	// Diff is that of the Grant's spec, as unified diff of YAML.
	Diff string `json:"diff"`
}

// report is what the command answers.
type report struct {
	Namespace string  `json:"namespace"`
	Policies  []*edit `json:"policies,omitempty"`
	// Faults keep a policy from being used, and Warnings what it grants from being had.
	Faults   []fault `json:"faults,omitempty"`
	Warnings []fault `json:"warnings,omitempty"`

	// Delivery is what each policy makes of the delivery.
	Delivery []verdict `json:"delivery,omitempty"`

	Gains   *preview.Tally    `json:"gains,omitempty"`
	Changes *preview.Tally    `json:"changes,omitempty"`
	Loses   *preview.Tally    `json:"loses,omitempty"`
	Failing []preview.Failing `json:"failing,omitempty"`
	Brakes  []preview.Brake   `json:"brakes,omitempty"`
	Rooms   []room            `json:"seatPools,omitempty"`
	// Example is a Grant as it would be; Person has all of the one person that is looked at.
	Example *example `json:"example,omitempty"`
	Person  []change `json:"person,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// example is a Grant as it would be.
type example struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Metadata   map[string]string  `json:"metadata"`
	Spec       v1alpha1.GrantSpec `json:"spec"`
	of         preview.Kind
}

func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *report) addFault(to *[]fault, f fault) {
	if !slices.Contains(*to, f) {
		*to = append(*to, f)
	}
}

// judge adds what is wrong with a policy in an institution.
func (r *report) judge(one *edit, compiled *policies.Policy, institution *v1alpha1.Institution) {
	faults := compiled.Faults
	if compiled.Ready() {
		faults = compiled.Misplaced(institution.Spec.NamespacePrefix)
	}
	for _, f := range faults {
		r.addFault(&r.Faults, one.fault(f.Field, f.Message))
	}
	if compiled.Partial() {
		r.note("policy %s: there may be more mistakes: the rest was not checked", one.Name)
	}
	if !compiled.Ready() {
		return
	}
	ofUsers, ofCompletions := compiled.SharedNames()
	for _, f := range slices.Concat(compiled.Unprefixed(institution.Spec.NamespacePrefix), ofUsers, ofCompletions) {
		r.addFault(&r.Warnings, one.fault(f.Field, f.Message))
	}
}

// fill adds what the preview found.
func (r *report) fill(o *options, w *world, summary *preview.Summary) {
	r.Gains, r.Changes, r.Loses = &summary.Gains, &summary.Changes, &summary.Loses
	r.Failing = summary.Failing
	r.Brakes = summary.Brakes(o.Now())
	r.rooms(w, summary)
	if summary.Unplanned > 0 {
		r.note("%d persons are still to be planned with the current policies: what that changes is not included",
			summary.Unplanned)
	}
	if summary.Example != nil && o.person == 0 {
		r.Example = exampleOf(summary.Example, o.redactor(w))
		r.Example.of = summary.ExampleKind
	}
}

func exampleOf(grant *v1alpha1.Grant, hide *redactor) *example {
	return &example{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Grant",
		Metadata: map[string]string{"name": grant.Name, "namespace": grant.Namespace}, Spec: hide.spec(&grant.Spec)}
}

// person adds what happens to the one person that is looked at, in detail.
func (r *report) person(o *options, w *world, outcome preview.Outcome) {
	for i := range outcome.Changes {
		c := &outcome.Changes[i]
		hide := o.redactor(w)
		var before, after string
		if c.Before != nil {
			before = yamlOf(hide.spec(&c.Before.Spec))
		}
		if c.After != nil {
			after = yamlOf(hide.spec(&c.After.Spec))
		}
		r.Person = append(r.Person, change{c.Grant, c.Kind, c.What, unified(before, after)})
	}
}

func yamlOf(value any) string {
	text, err := kyaml.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// print writes the report for people, or as a document.
func (o *options) print(r *report) error {
	if done, err := o.output.Document(o.Out, r); done {
		return err
	}
	r.printNotes(o.ErrOut)
	for _, one := range r.Policies {
		line := fmt.Sprintf("Policy %s %s", one.Name, map[string]string{actionCreate: "would be created",
			actionChange: "would change", actionDelete: "would be deleted", actionNone: "would not change"}[one.Action])
		if one.Trial != "" {
			line += " (API server: " + one.Trial + ")"
		}
		fmt.Fprintln(o.Out, line)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(o.Out, "Warning: %s\n", warning)
	}
	for _, failing := range r.Failing {
		fmt.Fprintf(o.Out, "Fails: policy %s: %s (%s, for example %s)\n", failing.Policy, failing.Message,
			plural(failing.Completions, "completion"), failing.First)
	}
	if err := r.printVerdicts(o.Out); err != nil {
		return err
	}
	if err := r.printTallies(o); err != nil {
		return err
	}
	r.printRooms(o.Out)
	r.printBrakes(o.Out)
	for _, c := range r.Person {
		fmt.Fprintf(o.Out, "\nGrant %s (%s)\n%s", c.Grant, strings.ToLower(string(c.Kind)), c.Diff)
	}
	if r.Example != nil {
		fmt.Fprintf(o.Out, "\nExample (the first grant under %s):\n\n%s", r.Example.of, yamlOf(r.Example))
	}
	return nil
}

func (r *report) printNotes(out io.Writer) {
	for _, note := range r.Notes {
		fmt.Fprintf(out, "Note: %s\n", note)
	}
}

func (r *report) printTallies(o *options) error {
	out := o.Out
	tallies := []struct {
		name  string
		tally *preview.Tally
	}{{"Gains", r.Gains}, {"Changes", r.Changes}, {"Loses", r.Loses}}
	fmt.Fprintln(out)
	var counts [][]string
	for _, t := range tallies {
		counts = append(counts,
			[]string{t.name + ":", plural(t.tally.Grants, "grant"), "of " + plural(t.tally.Users, "user")})
	}
	if err := cmdutil.Rows(out, nil, counts); err != nil {
		return err
	}
	for _, t := range tallies {
		if t.tally.Grants == 0 {
			continue
		}
		title := t.name
		if more := t.tally.Grants - len(t.tally.First); more > 0 {
			title += fmt.Sprintf(" (first %d, by user)", len(t.tally.First))
		}
		fmt.Fprintf(out, "\n%s\n", title)
		var rows [][]string
		for _, row := range t.tally.First {
			rows = append(rows, []string{row.User.String(), row.Grant, strings.Join(row.What, "; ")})
		}
		if err := o.output.Table(out, []string{"USER", "GRANT", "DETAILS"}, rows); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) printBrakes(out io.Writer) {
	for _, b := range r.Brakes {
		if b.Counts+b.ForwardCounts+b.CountsLater == 0 {
			continue
		}
		fmt.Fprintf(out, "\nBrake of institution %s: %s against the budget of %d per hour (%d already used)",
			b.Institution, counts(b.Counts+b.ForwardCounts), b.Budget, b.CountedWithinHour)
		switch {
		case b.Tripped:
			fmt.Fprintf(out, ". It has already tripped: %d are paused until a person releases it.\n", b.Waits)
		case b.Trips:
			fmt.Fprintf(out, ". It would trip: %d proceed, %d are paused until a person releases it.\n", b.Goes, b.Waits)
		default:
			fmt.Fprint(out, ". It would not trip.\n")
		}
		if b.CountsLater > 0 {
			fmt.Fprintf(out, "%d more count within a day, when they fall due.\n", b.CountsLater)
		}
	}
}

func counts(n int) string {
	if n == 1 {
		return "1 revocation counts"
	}
	return fmt.Sprintf("%d revocations count", n)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
