// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The program release makes the files of a release out of what was built: archives, a krew manifest, SBOMs, checksums,
// notes and a VEX document. The same input gives the same bytes. release.mk calls it; docs/releasing.md is for people.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// project is where releases are published.
const project = "https://github.com/lxp-dev/course-completion-operator"

// assetURL is where a file of a release can be downloaded.
func assetURL(version, name string) string {
	return project + "/releases/download/" + version + "/" + name
}

type command struct {
	name, usage string
	run         func(args []string, in io.Reader, out io.Writer) error
}

func commands() []command {
	return []command{
		{"archive", "--epoch N --output FILE FILE...", runArchive},
		{"checksums", "DIR", runChecksums},
		{"krew", "--version V --output FILE DIR", runKrew},
		{"notes", "--version V [--changelog FILE] [--image REF]", runNotes},
		{"sbom", "--name N --version V --epoch N --output FILE [--subject FILE] [--purpose P] [--module 'PATH V'] " +
			"PROGRAM...", runSBOM},
		{"vex", "--version V --epoch N --image REF [--action ID=TEXT] <GOVULNCHECK-OUTPUT", runVEX},
	}
}

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	all := commands()
	chosen := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if chosen < 0 {
		fmt.Fprintln(os.Stderr, "usage:")
		for _, c := range all {
			fmt.Fprintf(os.Stderr, "  release %s %s\n", c.name, c.usage)
		}
		os.Exit(2)
	}
	if err := all[chosen].run(os.Args[2:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "release %s: %v\n", name, err)
		os.Exit(1)
	}
}

// flagSet returns the flags of a command, and require, which parses them and names those that are missing.
func flagSet(name string) (flags *flag.FlagSet, require func(args []string, required ...string) error) {
	flags = flag.NewFlagSet(name, flag.ContinueOnError)
	return flags, func(args []string, required ...string) error {
		if err := flags.Parse(args); err != nil {
			return err
		}
		for _, name := range required {
			if flags.Lookup(name).Value.String() == flags.Lookup(name).DefValue {
				return fmt.Errorf("--%s is missing", name)
			}
		}
		return nil
	}
}

// epochFlag is a moment in seconds since 1970, as in SOURCE_DATE_EPOCH: that of the commit, since the moment of the
// build would make each build another one.
func epochFlag(flags *flag.FlagSet) func() time.Time {
	seconds := flags.Int64("epoch", -1, "the time of the commit, in seconds since 1970")
	return func() time.Time { return time.Unix(*seconds, 0).UTC() }
}

// listFlag is a flag that may be given several times.
type listFlag []string

func (l *listFlag) String() string { return strings.Join(*l, ",") }

func (l *listFlag) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// byBase orders paths by the names of their files.
func byBase(a, b string) int {
	return cmp.Compare(path.Base(a), path.Base(b))
}
