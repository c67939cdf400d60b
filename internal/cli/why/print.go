// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// printer writes for people. It keeps the first error.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, values ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", values...)
	}
}

// table writes rows in columns.
func (p *printer) table(indent string, rows [][]string) {
	if p.err != nil || len(rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		if _, p.err = fmt.Fprintln(w, strings.TrimRight(indent+strings.Join(row, "\t"), "\t ")); p.err != nil {
			return
		}
	}
	p.err = w.Flush()
}

// print writes the answer, and then the stories.
func (d *document) print(out io.Writer) error {
	p := &printer{out: out}
	p.line("%s.", d.Answer)
	if d.Pool != nil && !d.Pool.Missing {
		p.line("")
		p.line("Pool %s: capacity %d, %d taken, %d waiting", d.Pool.Name, d.Pool.Capacity, d.Pool.Taken, d.Pool.Waiting)
		for i, name := range d.Pool.Queue {
			p.line("  %d. %s", i+1, name)
		}
	}
	for _, s := range d.Stories {
		s.print(p, d.At)
	}
	for _, why := range d.Unknown {
		p.line("")
		p.line("Not shown: %s", why)
	}
	return p.err
}

func (s *story) print(p *printer, now time.Time) {
	p.line("")
	p.line("User %d of institution %d (%s); times are in %s", s.User, s.Institution.ID, s.Institution.Name,
		s.Institution.TimeZone)
	if who := s.Person; who != nil {
		p.table("  ", [][]string{{"Name:", who.Name}, {"Email:", who.Email}, {"CPF:", who.CPF},
			{"Nickname:", who.Nickname}, {"UUID:", who.UUID}})
	}
	if s.Institution.Problem != "" {
		p.line("  Nothing is planned: %s", s.Institution.Problem)
	}
	if brake := s.Institution.Brake; brake != nil {
		p.line("  The brake pauses revocations until a person releases it (grants: %d): %s", brake.Held, brake.Release)
	}
	p.line("")
	s.printTimeline(p, now)
	s.printCompletions(p)
	s.printPolicies(p)
	for i := range s.Grants {
		s.Grants[i].write(p)
	}
}

func (s *story) printTimeline(p *printer, now time.Time) {
	var rows [][]string
	for _, e := range s.History {
		rows = append(rows, []string{e.At.Format(time.DateTime), e.What})
	}
	rows = append(rows, []string{now.Format(time.DateTime), "NOW"})
	for _, e := range s.Next {
		at := "open"
		if !e.At.IsZero() {
			at = e.At.Format(time.DateTime)
		}
		rows = append(rows, []string{at, e.What})
	}
	if len(s.Next) == 0 {
		rows = append(rows, []string{"", "nothing more happens by itself"})
	}
	p.line("Story:")
	p.table("  ", rows)
}

func (s *story) printCompletions(p *printer) {
	p.line("")
	if len(s.Completions) == 0 {
		p.line("Completions: none is stored")
		return
	}
	p.line("Completions:")
	for _, c := range s.Completions {
		enrollment := "active"
		if !c.Active {
			enrollment = "inactive"
		}
		if c.DateExpire != "" {
			enrollment += ", until " + c.DateExpire
		}
		course := strings.TrimSpace(c.Course.String() + " " + c.CourseName)
		rows := [][]string{
			{"Course:", course}, {"Enrollment:", fmt.Sprintf("%d, %s", c.Enrollment, enrollment)},
			{"Sent:", "first " + c.FirstSentAt.Format(time.DateTime) + ", last " + c.SentAt.Format(time.DateTime)},
			{"Delivery:", strings.TrimSpace(c.Delivery + " " + warnings(&c))}, {"Outcome:", c.Outcome + ": " + c.Message},
		}
		p.line("  %s", c.Name)
		p.table("    ", rows)
	}
}

func warnings(c *completion) string {
	var words []string
	for _, w := range c.Warnings {
		words = append(words, string(w))
	}
	if len(words) == 0 {
		return ""
	}
	return "(" + strings.Join(words, ", ") + ")"
}

func (s *story) printPolicies(p *printer) {
	p.line("")
	if len(s.Policies) == 0 {
		p.line("Policies: none")
		return
	}
	p.line("Policies:")
	var rows [][]string
	for _, policy := range s.Policies {
		rows = append(rows, []string{policy.Name, string(policy.Outcome), policy.Message})
	}
	p.table("  ", rows)
}

func (g *grant) write(p *printer) {
	p.line("")
	by := "by policy " + g.Policy
	if g.Policy == "" {
		by = "made by hand"
	}
	p.line("Grant %s, %s:", g.Name, by)
	rows := [][]string{{"Phase:", string(g.Phase)}, {"Ready:", strings.Trim(g.Reason+": "+g.Message, ": ")}}
	switch {
	case g.End.At.IsZero():
		rows = append(rows, []string{"Ends:", g.End.Message})
	default:
		rows = append(rows, []string{"Ends:", g.End.At.Format(time.DateTime) + ": " + g.End.Message})
	}
	if g.Override != nil && g.Override.Kind == "approved" {
		rows = append(rows, []string{"Approved:", g.Override.Reason})
	}
	if len(g.Required) > 0 {
		rows = append(rows, []string{"Requires:", "all of the courses " + list(g.Required, "and")})
	}
	for _, c := range g.Causes {
		rows = append(rows, []string{"Because:", c.String()})
	}
	for _, seat := range g.Seats {
		rows = append(rows, []string{"Seat:", seat.Pool + ": " + seat.Message})
	}
	gives := "Gives:"
	if rank(g) == over {
		gives = "Gave:"
	}
	for _, given := range g.Gives {
		rows = append(rows, []string{gives, given.String()})
	}
	for _, what := range g.Revoked {
		rows = append(rows, []string{"Revoked:", what})
	}
	for _, what := range g.Revokes {
		rows = append(rows, []string{"Revokes:", what})
	}
	for _, what := range g.Held {
		rows = append(rows, []string{"Brake:", "pauses " + what})
	}
	p.table("  ", rows)
	if len(g.Objects) == 0 {
		return
	}
	p.line("  In the cluster:")
	var objects [][]string
	for _, o := range g.Objects {
		objects = append(objects, []string{o.String(), strings.Trim(string(o.State)+": "+o.Message, ": ")})
	}
	p.table("    ", objects)
}

// String says which completion it is, and when it ends.
func (c cause) String() string {
	said := c.Completion + ", sent " + c.FirstSentAt.Format(time.DateTime)
	if !c.Stored {
		said += ", no longer stored"
	}
	if c.EndsAt.IsZero() {
		return said + ", does not end"
	}
	said += ", ends " + c.EndsAt.Format(time.DateTime) + " (" + c.End + ")"
	if c.Decides {
		said += ", which decides"
	}
	return said
}

// String says who may do what in a namespace.
func (g given) String() string {
	switch {
	case g.ClusterRole == "":
		return "namespace " + g.Namespace
	case len(g.Subjects) > 0:
		return fmt.Sprintf("namespace %s, %s for %s", g.Namespace, g.ClusterRole, strings.Join(g.Subjects, ", "))
	case g.Count == 1:
		return fmt.Sprintf("namespace %s, %s for 1 subject", g.Namespace, g.ClusterRole)
	}
	return fmt.Sprintf("namespace %s, %s for %d subjects", g.Namespace, g.ClusterRole, g.Count)
}

// String names the object.
func (o object) String() string {
	kind := o.Kind
	if o.Group != "" && !strings.HasSuffix(o.Group, ".k8s.io") {
		kind += "." + o.Group
	}
	if o.Namespace != "" {
		return kind + " " + o.Namespace + "/" + o.Name
	}
	return kind + " " + o.Name
}
