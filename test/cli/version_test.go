// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(administrator(t).does("version")).To(And(
		MatchRegexp(`Plugin: +\S+`), MatchRegexp(`API: +completions.lxp.dev/v1alpha1\n`),
		MatchRegexp(`Controller-manager: +\S*course-completion-operator\S*\n`),
		MatchRegexp(`Webhook server: +\S*course-completion-operator\S*\n`)))
	g.Expect(administrator(t).does("version", "--client", "-o", "json")).To(MatchJSON(
		`{"apiVersion": "cli.completions.lxp.dev/v1alpha1", "kind": "Version", "plugin": "dev"}`))

	// Who may not look at the programs is told so, which is no error.
	school := openSchool(t)
	g.Expect(school.with().does("version")).To(And(
		MatchRegexp(`Controller-manager: +unknown\n`), ContainSubstring("is forbidden")))
}

// The plugin works where kubectl finds it.
func TestKubectlFindsThePlugin(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	kubectl := exec.CommandContext(t.Context(), plane.KubectlPath(), "course", "version", "--client")
	kubectl.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig(), "KUBERC=off",
		"PATH="+filepath.Dir(plugin)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := kubectl.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	g.Expect(string(out)).To(ContainSubstring("Plugin:"))
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(administrator(t).fails("version", "--nonsense")).To(Equal(
		"error: unknown flag: --nonsense\nSee 'kubectl course version --help' for usage.\n"))
	g.Expect(administrator(t).fails("versio")).To(And(ContainSubstring("unknown command"), ContainSubstring("version")))
	g.Expect(administrator(t).fails("version", "-o", "xml")).To(ContainSubstring("use one of table, wide, json, yaml"))
}
