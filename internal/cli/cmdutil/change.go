// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"io"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Change are the flags of a command that writes objects: -o and --dry-run, as kubectl has them.
type Change struct {
	Output

	DryRun string
}

// AddFlags adds the flags.
func (c *Change) AddFlags(cmd *cobra.Command) {
	c.Output.AddFlags(cmd, "", Name)
	cmd.Flags().BoolVar(&c.data.ShowManagedFields, "show-managed-fields", false,
		"Keep the managedFields when printing objects as data.")
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

// Done prints an object that was written, for people with the operation behind its name, such as approved.
func (c *Change) Done(out io.Writer, operation string, object client.Object) error {
	switch {
	case c.Is(Name):
		operation = ""
	case !c.Text():
		return c.printer.PrintObj(object, out)
	case c.DryRun == "server":
		operation += " (server dry run)"
	case c.DryRun == "client":
		operation += " (dry run)"
	}
	return named(out, operation, object)
}
