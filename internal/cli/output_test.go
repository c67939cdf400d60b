// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// What not every command prints. All else is the same everywhere, so that nobody has to remember it.
var (
	// printsNames are the commands whose rows are objects of the API.
	printsNames = []string{"", "status", "token list", "token remove", "create policy", "create seatpool",
		"suspend institution", "suspend policy", "resume institution", "resume policy",
		"approve", "revoke", "extend", "restore", "release"}
	// printsCSV are those with something for a spreadsheet.
	printsCSV = []string{"report"}
	// printsData are those that print data and nothing else.
	printsData = []string{"export"}
)

// everywhere are the formats of data, in kubectl's order.
var everywhere = []string{"json", "yaml", "kyaml", "go-template", "go-template-file", "template", "templatefile",
	"jsonpath", "jsonpath-as-json", "jsonpath-file"}

// Every command takes -o and --no-headers in the same way, completes them, and refuses what it does not have before it
// does anything: no cluster answers here.
func TestOutputFlags(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	var walked []string
	var usage string
	for path := range commands(NewCommand(genericiooptions.NewTestIOStreamsDiscard()), "") {
		walked = append(walked, path)
		g := NewWithT(t)
		cmd, _, err := NewCommand(genericiooptions.NewTestIOStreamsDiscard()).Find(strings.Fields(path))
		g.Expect(err).NotTo(HaveOccurred())
		output, headers := cmd.Flags().Lookup("output"), cmd.Flags().Lookup("no-headers")
		if output == nil || headers == nil || output.Shorthand != "o" {
			t.Errorf("%q has no -o or no --no-headers: give it a cmdutil.Output", path)
			continue
		}
		if usage == "" {
			usage = headers.Usage
		}
		g.Expect(headers.Usage).To(Equal(usage), path)
		want := slices.Clone(everywhere)
		if slices.Contains(printsCSV, path) {
			want = append([]string{"csv"}, want...)
		}
		if slices.Contains(printsNames, path) {
			want = append([]string{"name"}, want...)
		}
		standard := "json"
		if !slices.Contains(printsData, path) {
			standard, want = "table", append([]string{"table", "wide"}, want...)
		}
		g.Expect(output.DefValue).To(Equal(standard), path)
		g.Expect(output.Usage).To(Equal("Output format. One of: ("+strings.Join(want, ", ")+")."), path)
		_, completed := says(t, slices.Concat([]string{cobra.ShellCompRequestCmd}, strings.Fields(path), []string{"-o", ""}))
		g.Expect(strings.Fields(completed)).To(Equal(append(slices.Clone(want), ":4")), path)
		refuses(t, path, want)
	}
	for _, path := range slices.Concat(printsNames, printsCSV, printsData) {
		if !slices.Contains(walked, path) {
			t.Errorf("there is no command %q", path)
		}
	}
}

// refuses looks at what a command with some formats says of others.
func refuses(t *testing.T, path string, formats []string) {
	t.Helper()
	g := NewWithT(t)
	code := 1
	if path == "preview" || path == "send" {
		// For these 1 says something else.
		code = 2
	}
	for format, why := range map[string]string{
		"xml": "", "csv": "", "name": "what this prints has no name in the API: ",
		"table": "this prints data, and no table: ", "wide": "this prints data, and no table: ",
	} {
		if slices.Contains(formats, format) {
			continue
		}
		got, text := said(t, append(strings.Fields(path), "-o", format))
		g.Expect(text).To(ContainSubstring(`invalid argument %q for "-o, --output" flag: %suse one of %s`, format, why,
			strings.Join(formats, ", ")), path)
		g.Expect(got).To(Equal(code), path)
	}
}

// A template that is missing or wrong is refused before anything is done.
func TestWrongTemplates(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	g := NewWithT(t)
	for format, says := range map[string]string{
		"go-template": "-o go-template: template format specified but no template given", "jsonpath={": "unclosed action",
	} {
		code, text := said(t, []string{"suspend", "institution", "-o", format})
		g.Expect(text).To(ContainSubstring(says))
		g.Expect(code).To(Equal(1))
		for _, other := range []string{"preview", "send"} {
			code, text = said(t, []string{other, "-o", format})
			g.Expect(text).To(ContainSubstring(says))
			g.Expect(code).To(Equal(2))
		}
	}
	_, text := said(t, []string{"version", "--client", "-o", "jsonpath={.kind} {.plugin}"})
	g.Expect(text).To(Equal("Version dev"))
	_, text = said(t, []string{"version", "--client", "--template", "{{.plugin}}"})
	g.Expect(text).To(Equal("dev"))
	_, text = said(t, []string{"version", "--client", "-o", "YAML", "--no-headers"})
	g.Expect(text).To(Equal("apiVersion: cli.completions.lxp.dev/v1alpha1\nkind: Version\nplugin: dev\n"))
}

// commands calls each with every command that does something, by its path without `kubectl course`.
func commands(cmd *cobra.Command, path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if cmd.Name() == "options" || (!cmd.HasSubCommands() || !cmd.HasParent()) && !yield(path) {
			return
		}
		for _, below := range cmd.Commands() {
			for found := range commands(below, strings.TrimSpace(path+" "+below.Name())) {
				if !yield(found) {
					return
				}
			}
		}
	}
}

// says runs a command and returns its exit code and what it prints to stdout.
func says(t *testing.T, args []string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &bytes.Buffer{}}
	return Run(t.Context(), NewCommand(streams), args), out.String()
}

// said runs a command and returns its exit code and all that it says.
func said(t *testing.T, args []string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &out}
	return Run(t.Context(), NewCommand(streams), args), out.String()
}
