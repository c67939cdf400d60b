// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Whoever calls a command wrongly, or without a cluster, is told what to do.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"create", "institution"}, 1, "an argument is missing: use `kubectl course create institution ID " +
			"--namespace-prefix PREFIX [flags]`\nSee 'kubectl course create institution --help'"},
		{[]string{"token", "remove"}, 1, "use `kubectl course token remove [INSTITUTION] SECRET [flags]`"},
		{[]string{"why", "1", "2", "3"}, 1, "too few or too many arguments (1 2 3): use `kubectl course why"},
		{[]string{"status", "x"}, 1, "no argument is expected, and there is x: use `kubectl course status"},
		{[]string{"preview", "x"}, 2, "no argument is expected, and there is x: use `kubectl course preview"},
		{[]string{"deliveries", "--user", "x"}, 1, `invalid argument "x" for "--user" flag: not a number`},
		{[]string{"create", "policy", "p", "--course", "x"}, 1, `"--course" flag: not a number` + "\nSee 'kubectl course "},
		{[]string{"preview", "--user"}, 2, "See 'kubectl course preview --help'"},
		{[]string{"stauts"}, 1, "Did you mean this?\n\tstatus"},
		{[]string{"deliveries", "--outcome", "rejected"}, 1, "--outcome rejected is unknown: use one or more of "},
		{[]string{"status"}, 1, "none) says where the cluster is: is the file there?"},
		{[]string{"status", "--server", "http://127.0.0.1:1"}, 1, "The cluster does not answer: check --context, --server"},
		{[]string{"doctor"}, 1, "Nothing in KUBECONFIG ("},
		{[]string{"deliveries"}, 1, "Nothing in KUBECONFIG ("},
		{[]string{"inbox", "list"}, 1, "Nothing in KUBECONFIG ("},
		{[]string{"send", "--example", "--url-file", "none"}, 2, "It holds the webhook URL, which "},
		{[]string{"send", "--example", "--url", "http://127.0.0.1:1/webhooks/1/abcdefghijklmnopqrstuvwxyz012345"}, 1,
			"no answer: "},
		{[]string{"import", "-f", "none.csv", "--dry-run"}, 1, "give its id with --institution"},
	} {
		g := NewWithT(t)
		var said bytes.Buffer
		streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &said, ErrOut: &said}
		g.Expect(Run(t.Context(), NewCommand(streams), tc.args)).To(Equal(tc.code), "%v: %s", tc.args, said.String())
		g.Expect(said.String()).To(ContainSubstring(tc.says), "%v", tc.args)
	}
	t.Setenv("KUBECONFIG", "")
	var said bytes.Buffer
	streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &said, ErrOut: &said}
	NewWithT(t).Expect(Run(t.Context(), NewCommand(streams), []string{"status"})).To(Equal(1))
	NewWithT(t).Expect(said.String()).To(ContainSubstring("No kubeconfig says where the cluster is: set KUBECONFIG"))
}
