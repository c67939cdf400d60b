// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// ErrDeclined means that a person answered no.
var ErrDeclined = errors.New("nothing was changed")

// Confirmation asks before much is changed.
type Confirmation struct{ Yes bool }

// AddFlags adds --yes.
func (c *Confirmation) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.Yes, "yes", "y", false, "Do not ask for confirmation. Required in scripts.")
}

// Ask asks a question and returns nil for yes. Where nobody can answer it is an error.
func (c *Confirmation) Ask(f *Factory, question string) error {
	if c.Yes {
		return nil
	}
	if in, ok := f.In.(*os.File); ok && !term.IsTerminal(int(in.Fd())) {
		return Usagef("this needs confirmation, and stdin is not a terminal: give --yes to answer yes. The question is:\n%s",
			question)
	}
	fmt.Fprintf(f.ErrOut, "%s [y/N] ", question)
	answer, err := bufio.NewReader(f.In).ReadString('\n')
	if err != nil && answer == "" {
		return ErrDeclined
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return ErrDeclined
}

// IsTerminal reports whether the output is a terminal, for colours and progress bars.
func IsTerminal(f *Factory) bool {
	out, ok := f.ErrOut.(*os.File)
	return ok && term.IsTerminal(int(out.Fd()))
}
