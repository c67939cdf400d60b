// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package commandline reads the flags of a program that runs in a pod.
package commandline

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
)

// The exit codes of a program that does not go on.
const (
	exitShown = 0
	exitUsage = 2
)

// Parse reads the flags of a program. Where the program is not to go on, it returns true and the exit code: after
// --help, which out gets, and after a mistake. Of a mistake errOut gets one line, and not all flags as well, so that
// the log of a pod that does not start ends with what is wrong.
func Parse(flags *flag.FlagSet, args []string, out, errOut io.Writer) (code int, exit bool) {
	name := filepath.Base(flags.Name())
	flags.Init(flags.Name(), flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		fmt.Fprintf(out, "Flags of %s:\n", name)
		flags.PrintDefaults()
		return exitShown, true
	}
	if err == nil && flags.NArg() > 0 {
		// Whatever stands behind it would be ignored.
		err = fmt.Errorf("%q is not a flag: write a flag and its value as --name=value", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(errOut, "%s: %v (use --help for all flags)\n", name, err)
		return exitUsage, true
	}
	return 0, false
}
