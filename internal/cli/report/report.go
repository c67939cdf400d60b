// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report is `kubectl course report`, which counts completions.
package report

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

type options struct {
	*cmdutil.Factory
	scope  cmdutil.Scope
	output cmdutil.Output
	by     []string
	window window
	chart  bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "report [--by course,month]",
		Short: "Count completions by course, policy, day, week or month",
		Long: templates.LongDesc(`
			Count how many courses were completed, and for how many of these a policy granted something.

			A completion counts at the time of its first delivery, in the time zone of the institution. Repeated deliveries
			count once. Completions that were deleted, by a person or by retentionDays, do not count. With --by policy, a
			completion counts once for each policy that granted something for it. Weeks follow ISO 8601 and start on Monday.
			The output contains ids, and no personal data.`),
		Example: templates.Examples(`
			# Completions by month
			kubectl course report -n institution-12345

			# By course and policy, in the first half of a year
			kubectl course report -n institution-12345 --by course,policy --since 2026-01-01 --until 2026-06-30

			# A bar chart in the terminal, by week
			kubectl course report -n institution-12345 --by week --chart

			# All institutions, for a spreadsheet
			kubectl course report -A --by institution,month -o csv`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.by, "by", []string{"month"},
		"What to group by, one or more of: "+strings.Join(dimensionNames(), ", ")+".")
	flags.StringVar(&o.window.since, "since", "",
		"The first day, yyyy-MM-dd in the institution's time zone, or a time such as 2026-12-18T18:00:00-03:00.")
	flags.StringVar(&o.window.until, "until", "", "The last day, or a time, in the same formats.")
	flags.BoolVar(&o.chart, "chart", false, "Draw a bar chart instead of the table.")
	o.scope.AddFlags(cmd)
	o.output.AddFlags(cmd, "Report", cmdutil.CSV)
	_ = cmd.RegisterFlagCompletionFunc("by",
		cobra.FixedCompletions(dimensionNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *options) run(ctx context.Context) error {
	by, err := o.validate()
	if err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	namespace, err := o.scope.In(o.Factory)
	if err != nil {
		return err
	}
	counted, err := o.count(ctx, c, namespace, by)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	return o.print(counted)
}

func (o *options) validate() ([]dimension, error) {
	if o.chart && !o.output.Text() {
		return nil, cmdutil.Usagef("--chart cannot be combined with -o")
	}
	by, err := dimensionsOf(o.by)
	if err == nil {
		_, _, err = o.window.bounds(time.UTC)
	}
	if err != nil {
		return nil, cmdutil.Usagef("%w", err)
	}
	return by, nil
}

// calendar is an institution's time zone, and what of it the report is about.
type calendar struct {
	zone     *time.Location
	from, to time.Time
}

// key tells institutions apart: two namespaces may have the same id.
type key struct {
	namespace string
	id        v1alpha1.PlatformID
}

// count reads page by page.
func (o *options) count(ctx context.Context, c client.Reader, namespace string, by []dimension) (*counter, error) {
	institutions, err := cmdutil.Institutions(ctx, c, namespace)
	if err != nil {
		return nil, err
	}
	calendars := make(map[key]*calendar)
	for i := range institutions {
		spec := &institutions[i].Spec
		zone, err := time.LoadLocation(spec.TimeZone)
		if err != nil {
			fmt.Fprintf(o.ErrOut, "Institution %d has the unknown time zone %q: counting in UTC\n", spec.ID, spec.TimeZone)
			zone = time.UTC
		}
		if calendars[key{institutions[i].Namespace, spec.ID}], err = o.calendar(zone); err != nil {
			return nil, err
		}
	}
	counted := newCounter(by)
	list := &v1alpha1.CourseCompletionList{}
	err = cmdutil.EachPage(ctx, c, list, func() error {
		for i := range list.Items {
			completion := &list.Items[i]
			whose := key{completion.Namespace, completion.Spec.Institution.ID}
			if calendars[whose] == nil {
				fmt.Fprintf(o.ErrOut, "Namespace %s no longer has Institution %d: counting in UTC\n",
					whose.namespace, whose.id)
				if calendars[whose], err = o.calendar(time.UTC); err != nil {
					return err
				}
			}
			calendars[whose].count(counted, completion)
		}
		return nil
	}, client.InNamespace(namespace))
	return counted, err
}

func (o *options) calendar(zone *time.Location) (*calendar, error) {
	from, to, err := o.window.bounds(zone)
	return &calendar{zone: zone, from: from, to: to}, err
}

func (c *calendar) count(counted *counter, completion *v1alpha1.CourseCompletion) {
	first := completion.Spec.Event.First()
	at := first.In(c.zone)
	if !c.from.IsZero() && at.Before(c.from) || !c.to.IsZero() && !at.Before(c.to) {
		return
	}
	counted.add(completion, at)
}

func (o *options) print(counted *counter) error {
	groups := counted.sorted()
	if done, err := o.output.Document(o.Out, o.document(counted, groups)); done {
		return err
	}
	switch {
	case o.chart:
		return o.draw(withoutGaps(counted.by, groups))
	case o.output.Is(cmdutil.CSV):
		return o.printCSV(counted.by, groups)
	case len(groups) == 0:
		fmt.Fprintln(o.ErrOut, "No completions found.")
		return nil
	}
	var headers []string
	for _, name := range columns(counted.by) {
		headers = append(headers, strings.ToUpper(name))
	}
	var rows [][]string
	for _, g := range groups {
		rows = append(rows, g.row())
	}
	if err := o.output.Table(o.Out, headers, rows); err != nil || o.output.NoHeaders {
		return err
	}
	fmt.Fprintf(o.Out, "\nCompletions: %d, granted something: %d\n", counted.total.completions, counted.total.granted)
	return nil
}

func columns(by []dimension) []string {
	var names []string
	for _, d := range by {
		names = append(names, d.name)
	}
	return append(names, "completions", "granted")
}

func (g *group) row() []string {
	return append(slices.Clip(g.keys), strconv.Itoa(g.completions), strconv.Itoa(g.granted))
}

func (o *options) printCSV(by []dimension, groups []*group) error {
	w := csv.NewWriter(o.Out)
	if !o.output.NoHeaders {
		_ = w.Write(columns(by))
	}
	for _, g := range groups {
		_ = w.Write(g.row())
	}
	w.Flush()
	return w.Error()
}

// document is the report as data.
type document struct {
	By          []string         `json:"by"`
	Since       string           `json:"since,omitempty"`
	Until       string           `json:"until,omitempty"`
	Completions int              `json:"completions"`
	Granted     int              `json:"granted"`
	Groups      []map[string]any `json:"groups"`
}

func (o *options) document(counted *counter, groups []*group) document {
	d := document{
		By: o.by, Since: o.window.since, Until: o.window.until, Groups: []map[string]any{},
		Completions: counted.total.completions, Granted: counted.total.granted,
	}
	for _, g := range groups {
		row := map[string]any{"completions": g.completions, "granted": g.granted}
		for i, dimension := range counted.by {
			row[dimension.name] = g.keys[i]
		}
		d.Groups = append(d.Groups, row)
	}
	return d
}

// Widths of a chart in characters: of a screen that is not known, and of the shortest line of bars.
const (
	defaultWidth = 80
	leastBars    = 10
)

func (o *options) draw(groups []*group) error {
	if len(groups) == 0 {
		fmt.Fprintln(o.ErrOut, "No completions found.")
		return nil
	}
	width := defaultWidth
	if out, ok := o.Out.(*os.File); ok {
		if columns, _, err := term.GetSize(int(out.Fd())); err == nil && columns > 0 {
			width = columns
		}
	}
	return drawBars(o.Out, groups, width)
}

// drawBars draws one bar a group, the longest over the whole width.
func drawBars(out io.Writer, groups []*group, width int) error {
	most, label := 1, 0
	for _, g := range groups {
		most, label = max(most, g.completions), max(label, len(strings.Join(g.keys, "  ")))
	}
	number := len(strconv.Itoa(most))
	bars := max(width-label-number-len("  ")-1, leastBars)
	for i := 0; i < len(groups); i++ {
		g := groups[i]
		if empty := emptyFrom(groups[i:]); empty > mostEmpty {
			if _, err := fmt.Fprintf(out, "%-*s %*d none in these %d\n", label, "...", number, 0, empty); err != nil {
				return err
			}
			i += empty - 1
			continue
		}
		if _, err := fmt.Fprintf(out, "%-*s %*d %s\n", label, strings.Join(g.keys, "  "), number, g.completions,
			bar(g.completions, most, bars)); err != nil {
			return err
		}
	}
	return nil
}

// mostEmpty is how many bars of nothing are drawn one after the other.
const mostEmpty = 6

// emptyFrom is how many of the first groups have nothing.
func emptyFrom(groups []*group) int {
	if i := slices.IndexFunc(groups, func(g *group) bool { return g.completions > 0 }); i >= 0 {
		return i
	}
	return len(groups)
}

// parts are eighths of a character.
var parts = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar is a length of value/most of the width, and of at least an eighth where there is anything.
func bar(value, most, width int) string {
	eighths := value * width * len(parts) / most
	if value > 0 {
		eighths = max(eighths, 1)
	}
	return strings.Repeat("█", eighths/len(parts)) + parts[eighths%len(parts)]
}
