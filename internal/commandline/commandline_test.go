// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package commandline

import (
	"bytes"
	"flag"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		code int
		exit bool
		// said is in the one line that is told, help in what is shown.
		said, help string
	}{
		"nothing":         {},
		"flags":           {args: []string{"--workers=2", "-lead=false"}},
		"help":            {args: []string{"--help"}, exit: true, help: "how many"},
		"a wrong value":   {args: []string{"--workers=many"}, code: 2, exit: true, said: `"many" for flag -workers`},
		"an unknown flag": {args: []string{"--nope"}, code: 2, exit: true, said: "-nope"},
		"a value apart": {args: []string{"--lead", "false", "--workers=2"}, code: 2, exit: true,
			said: `"false" is not a flag`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			flags := flag.NewFlagSet("/bin/program", flag.ExitOnError)
			workers := flags.Int("workers", 8, "how many")
			lead := flags.Bool("lead", true, "whether")
			var out, errOut bytes.Buffer
			code, exit := Parse(flags, tc.args, &out, &errOut)
			g.Expect(code).To(Equal(tc.code))
			g.Expect(exit).To(Equal(tc.exit))
			g.Expect(out.String()).To(ContainSubstring(tc.help))
			g.Expect(errOut.String()).To(ContainSubstring(tc.said))
			if tc.code != 0 {
				g.Expect(errOut.String()).To(HavePrefix("program: "))
				g.Expect(strings.Count(errOut.String(), "\n")).To(Equal(1), "whoever looks at the end of a log sees it")
				g.Expect(out.String()).To(BeEmpty())
			}
			if name == "flags" {
				g.Expect(*workers).To(Equal(2))
				g.Expect(*lead).To(BeFalse())
			}
		})
	}
}
