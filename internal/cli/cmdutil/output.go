// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Output is the flag -o of a command whose answer is a document of its own, not objects of the API.
type Output struct {
	Format    string
	NoHeaders bool
	formats   []string
}

// AddFlags adds -o with the formats beside text for people, and --no-headers where there is a table.
func (o *Output) AddFlags(cmd *cobra.Command, formats ...string) {
	o.formats = formats
	cmd.Flags().StringVarP(&o.Format, "output", "o", "",
		"Output format. One of: ("+strings.Join(formats, ", ")+"). Text for people when left out.")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	if slices.Contains(formats, "table") || slices.Contains(formats, "wide") {
		cmd.Flags().BoolVar(&o.NoHeaders, "no-headers", false, "Print tables without headers.")
	}
}

// Validate checks the format.
func (o *Output) Validate() error {
	if o.Format != "" && !slices.Contains(o.formats, o.Format) {
		return Usagef("-o %s is unknown: use one of %s", o.Format, strings.Join(o.formats, ", "))
	}
	return nil
}

// Document prints a value as JSON or YAML, and reports whether the format is one of these.
func (o *Output) Document(out io.Writer, value any) (bool, error) {
	switch o.Format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "    ")
		encoder.SetEscapeHTML(false)
		return true, encoder.Encode(value)
	case "yaml":
		content, err := yaml.Marshal(value)
		if err != nil {
			return true, fmt.Errorf("encode as YAML: %w", err)
		}
		_, err = out.Write(content)
		return true, err
	}
	return false, nil
}

// Table prints rows in aligned columns, as kubectl does; nil headers print none.
func Table(out io.Writer, headers []string, rows [][]string) error {
	w := printers.GetNewTabWriter(out)
	if headers != nil {
		fmt.Fprintln(w, strings.Join(headers, "\t"))
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// Change are the flags of a command that writes objects: -o and --dry-run, as kubectl has them.
type Change struct {
	Print  *genericclioptions.PrintFlags
	DryRun string
}

// AddFlags adds the flags. The operation is what is printed behind an object's name, such as approved.
func (c *Change) AddFlags(cmd *cobra.Command, operation string) {
	c.Print = genericclioptions.NewPrintFlags(operation).WithTypeSetter(Scheme)
	c.Print.AddFlags(cmd)
	cmd.Flags().StringVar(&c.DryRun, "dry-run", "none", `Must be "none", "server" or "client". With client, only print `+
		`what would be sent; with server, let the API server check it without storing it.`)
	cmd.Flags().Lookup("dry-run").NoOptDefVal = "client"
	_ = cmd.RegisterFlagCompletionFunc("dry-run",
		cobra.FixedCompletions([]string{"none", "server", "client"}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate checks the flags.
func (c *Change) Validate() error {
	if !slices.Contains([]string{"none", "server", "client"}, c.DryRun) {
		return Usagef("--dry-run=%s is unknown: use none, server or client", c.DryRun)
	}
	return nil
}

// Client returns a client that writes as --dry-run says: with client the writes are to be left out, see Writes.
func (c *Change) Client(to client.WithWatch) client.Client {
	if c.DryRun == "server" {
		return client.NewDryRunClient(to)
	}
	return to
}

// Writes reports whether anything is sent at all.
func (c *Change) Writes() bool { return c.DryRun != "client" }

// Done prints an object that was written.
func (c *Change) Done(out io.Writer, operation string, object client.Object) error {
	flags := *c.Print
	name := *flags.NamePrintFlags
	name.Operation = operation
	flags.NamePrintFlags = &name
	if c.DryRun != "none" {
		if err := flags.Complete("%s (" + dryRunName(c.DryRun) + ")"); err != nil {
			return err
		}
	}
	printer, err := flags.ToPrinter()
	if err != nil {
		return Usagef("%w", err)
	}
	return printer.PrintObj(object, out)
}

func dryRunName(strategy string) string {
	if strategy == "server" {
		return "server dry run"
	}
	return "dry run"
}
