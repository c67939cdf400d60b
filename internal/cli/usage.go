// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// explainArguments has each command that is given too few or too many arguments say how it is used.
func explainArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil {
				return nil
			}
			// `kubectl course` is what it is called, whatever the program is.
			use := strings.Replace(cmd.UseLine(), cmd.Root().Name(), cmd.Root().DisplayName(), 1)
			said := cmdutil.Usagef("%s: use `%s`\nSee '%s --help' for usage.", complaint(err, args), use, cmd.CommandPath())
			if exit, ok := errors.AsType[*cmdutil.ExitError](err); ok {
				return &cmdutil.ExitError{Code: exit.Code, Err: said}
			}
			return said
		}
	}
	for _, below := range cmd.Commands() {
		explainArguments(below)
	}
}

func complaint(err error, args []string) string {
	switch {
	case len(args) == 0:
		return "an argument is missing"
	case strings.HasPrefix(err.Error(), "unknown command"):
		return "no argument is expected, and there is " + strings.Join(args, " ")
	}
	return "too few or too many arguments (" + strings.Join(args, " ") + ")"
}
