// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// parsing is how Go says that a text is no number.
var parsing = regexp.MustCompile(
	`strconv\.Parse(?:Int|Uint|Float): parsing "[^"]*": (?:invalid syntax|value out of range)`)

// FlagError says of a wrong flag what is wrong in plain words, and where help is.
func FlagError(cmd *cobra.Command, err error) error {
	text := parsing.ReplaceAllStringFunc(err.Error(), func(said string) string {
		if strings.HasSuffix(said, "range") {
			return "the number is too large"
		}
		return "not a number"
	})
	return Usagef("%s\nSee '%s --help' for usage.", text, cmd.CommandPath())
}
